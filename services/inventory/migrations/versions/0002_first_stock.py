"""what is in the warehouse when the shop opens

The products are the catalog's; an id is all that the two services share.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ON_HAND = {
    "assam-tea": 120,
    "bamboo-whisk": 18,
    "burr-grinder": 7,
    "cast-iron-teapot": 9,
    "ceylon-tea": 95,
    "chamomile-tea": 60,
    "chemex-filters": 40,
    "cold-brew-bottle": 15,
    "darjeeling-tea": 48,
    "earl-grey-tea": 110,
    "espresso-beans": 75,
    "ethiopia-beans": 52,
    "french-press": 21,
    "glass-teapot": 12,
    "gooseneck-kettle": 5,
    "honey-spoon": 200,
    "kitchen-scale": 14,
    "matcha": 26,
    "rooibos-tea": 80,
    "tea-sampler-2025": 0,
    "travel-mug": 33,
}


def upgrade() -> None:
    stock = sa.table("stock", *(sa.column(name) for name in ("product_id", "on_hand", "reserved", "version")))
    stock.append_column(sa.column("update_time", sa.DateTime()))
    opened = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - the column is UTC without saying so
    op.bulk_insert(
        stock,
        [
            {"product_id": product_id, "on_hand": on_hand, "reserved": 0, "version": 1, "update_time": opened}
            for product_id, on_hand in ON_HAND.items()
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM stock")
