"""mailboxes, and what is in them"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailboxes",
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("mailbox_id", sa.String(64), nullable=False, unique=True),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "notifications",
        sa.Column("subject", sa.String(255), sa.ForeignKey("mailboxes.subject"), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("order_id", sa.String(64), nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(), nullable=False),
        sa.Column("read_time", sa.DateTime(), nullable=True),
    )
    op.create_index("ix_notifications_create_time", "notifications", ["create_time"])


def downgrade() -> None:
    op.drop_table("notifications")
    op.drop_table("mailboxes")
