"""answers to requests, and the digest of migrations"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "protomesh_requests",
        sa.Column("request_type", sa.String(255), primary_key=True),
        sa.Column("request_id", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.DateTime(), nullable=False, server_default=sa.func.current_timestamp()),
    )
    op.create_index("ix_protomesh_requests_create_time", "protomesh_requests", ["create_time"])
    op.create_table(
        "protomesh_migrated",
        sa.Column("package", sa.String(255), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("protomesh_migrated")
    op.drop_table("protomesh_requests")
