"""the checkout"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The defaults are for what was ordered before, and for workers of the release before.
    op.add_column("orders", sa.Column("customer", sa.String(255), nullable=False, server_default=""))
    op.add_column("orders", sa.Column("paying", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("orders", sa.Column("failure", sa.String(16), nullable=True))
    op.add_column("orders", sa.Column("failure_about", sa.String(64), nullable=False, server_default=""))
    op.add_column("orders", sa.Column("failure_available", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("orders", sa.Column("update_time", sa.DateTime(), nullable=True))
    op.add_column("orders", sa.Column("run", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("lease_time", sa.DateTime(), nullable=True))
    op.create_index("ix_orders_customer", "orders", ["customer", "order_id"])
    op.create_index("ix_orders_lease_time", "orders", ["lease_time"])


def downgrade() -> None:
    op.drop_index("ix_orders_lease_time", "orders")
    op.drop_index("ix_orders_customer", "orders")
    for column in (
        "lease_time",
        "run",
        "update_time",
        "version",
        "failure_available",
        "failure_about",
        "failure",
        "paying",
        "customer",
    ):
        op.drop_column("orders", column)
