"""events whose handling has ended a worker"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "protomesh_deadly",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("last_time", sa.DateTime(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("protomesh_deadly")
