"""payments that hold something for too long are found"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_payments_state", "payments", ["state", "update_time"])


def downgrade() -> None:
    op.drop_index("ix_payments_state", "payments")
