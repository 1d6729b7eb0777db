"""reservations that were given up before there were any, and the age of those that are kept"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "closed_reservations",
        sa.Column("reservation_id", sa.String(64), primary_key=True),
        sa.Column("close_time", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_closed_reservations_close_time", "closed_reservations", ["close_time"])
    op.create_index("ix_reservations_create_time", "reservations", ["create_time"])


def downgrade() -> None:
    op.drop_index("ix_reservations_create_time", "reservations")
    op.drop_table("closed_reservations")
