"""searchable text of any length

Folded case can be longer than what a person wrote: "ß" becomes "ss".
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("products") as products:
        products.alter_column("searchable", type_=sa.Text(), existing_type=sa.String(4306), existing_nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("products") as products:
        products.alter_column("searchable", type_=sa.String(4306), existing_type=sa.Text(), existing_nullable=False)
