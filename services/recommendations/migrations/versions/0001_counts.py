"""what was ordered, and with what"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decay",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("half_life_seconds", sa.Double(), nullable=False),
        sa.Column("anchor_time", sa.DateTime(), nullable=False),
        sa.Column("anchor_rank", sa.Double(), nullable=False),
    )
    op.create_table(
        "sold",
        sa.Column("product_id", sa.String(64), primary_key=True),
        sa.Column("rank", sa.Double(), nullable=False),
    )
    op.create_index("ix_sold_rank", "sold", ["rank"])
    op.create_table(
        "together",
        sa.Column("product_id", sa.String(64), primary_key=True),
        sa.Column("other_id", sa.String(64), primary_key=True),
        sa.Column("rank", sa.Double(), nullable=False),
    )
    op.create_index("ix_together_rank", "together", ["product_id", "rank"])


def downgrade() -> None:
    op.drop_table("together")
    op.drop_table("sold")
    op.drop_table("decay")
