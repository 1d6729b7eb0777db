"""payments, and ids that were given up"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("payer", sa.String(255), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("currency_code", sa.String(3), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("nanos", sa.Integer(), nullable=False),
        sa.Column("card_last_four", sa.String(4), nullable=False),
        sa.Column("decline_reason", sa.String(32), nullable=True),
        sa.Column("create_time", sa.DateTime(), nullable=False),
        sa.Column("update_time", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "closed_payments",
        sa.Column("payment_id", sa.String(64), primary_key=True),
        sa.Column("close_time", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("closed_payments")
    op.drop_table("payments")
