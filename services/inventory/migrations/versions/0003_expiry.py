"""reservations expire, or are confirmed"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is held, or will be by workers of the release before, is neither confirmed nor does it expire.
    op.add_column("reservations", sa.Column("expire_time", sa.DateTime(), nullable=True))
    op.add_column("reservations", sa.Column("confirmed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_reservations_expire_time", "reservations", ["expire_time"])


def downgrade() -> None:
    # Of these nothing is held; whoever releases one before this is undone again finds none.
    op.execute("DELETE FROM reservations WHERE confirmed")
    op.drop_index("ix_reservations_expire_time", "reservations")
    op.drop_column("reservations", "confirmed")
    op.drop_column("reservations", "expire_time")
