"""loaves"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "loaves",
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("oven", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("publisher", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("loaves")
