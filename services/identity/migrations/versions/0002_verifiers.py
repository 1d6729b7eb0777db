"""which mesh knows which keys"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "verifiers",
        sa.Column("mesh", sa.Text(), primary_key=True),
        sa.Column("kids", sa.Text(), nullable=False),
        sa.Column("tell_time", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("verifiers")
