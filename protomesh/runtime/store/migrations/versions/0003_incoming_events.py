"""events that come by a broker"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "protomesh_incoming",
        sa.Column(
            "sequence",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("event_id", sa.String(36), nullable=False, unique=True),
        sa.Column("event_type", sa.String(255), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("create_time", sa.DateTime(), nullable=False),
        sa.Column("publisher", sa.String(255), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_protomesh_incoming_publisher", "protomesh_incoming", ["publisher", "sequence"])
    op.create_table(
        "protomesh_incoming_cursors",
        sa.Column("publisher", sa.String(255), primary_key=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "protomesh_incoming_deferred",
        sa.Column("publisher", sa.String(255), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_time", sa.DateTime(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
    )
    op.create_index(
        "ix_protomesh_incoming_deferred_key", "protomesh_incoming_deferred", ["publisher", "key", "sequence"]
    )


def downgrade() -> None:
    op.drop_table("protomesh_incoming_deferred")
    op.drop_table("protomesh_incoming_cursors")
    op.drop_table("protomesh_incoming")
