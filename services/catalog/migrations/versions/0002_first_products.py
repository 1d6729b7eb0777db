"""the products that the shop opens with

A migration, so that they come once: a product that somebody removes later stays away.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# id, title, category, euros, cents, description
PRODUCTS = (
    ("assam-tea", "Assam Second Flush", "tea", 8, 90, "Malty black tea from one garden in Assam. 100 g, loose."),
    ("bamboo-whisk", "Bamboo Whisk", "tools", 16, 50, "Eighty tines, split by hand. For matcha that foams."),
    ("burr-grinder", "Hand Burr Grinder", "tools", 79, 0, "Steel burrs, thirty steps from espresso to press."),
    ("cast-iron-teapot", "Cast-Iron Teapot", "teaware", 64, 0, "Holds 0.8 litres and keeps them hot. With a strainer."),
    ("ceylon-tea", "Ceylon Uva Highlands", "tea", 7, 40, "Bright black tea with a hint of mint. 100 g, loose."),
    ("chamomile-tea", "Chamomile Flowers", "tea", 5, 20, "Whole dried flowers, no caffeine. 60 g."),
    ("chemex-filters", "Paper Filters, 100", "coffeeware", 9, 80, "Heavy paper for six-cup carafes, unbleached."),
    (
        "cold-brew-bottle",
        "Cold Brew Bottle",
        "coffeeware",
        24,
        90,
        "Fill it in the evening, drink it at noon. 0.75 litres.",
    ),
    ("darjeeling-tea", "Darjeeling First Flush", "tea", 14, 50, "Light and flowery, picked in March. 100 g, loose."),
    ("earl-grey-tea", "Earl Grey", "tea", 6, 90, "Black tea with oil of bergamot. 100 g, loose."),
    (
        "espresso-beans",
        "Espresso Blend",
        "coffee",
        11,
        90,
        "Chocolate and hazelnut, roasted on Tuesdays. 500 g, beans.",
    ),
    (
        "ethiopia-beans",
        "Ethiopia Yirgacheffe",
        "coffee",
        13,
        50,
        "Washed, with notes of lemon and jasmine. 250 g, beans.",
    ),
    ("french-press", "French Press", "coffeeware", 32, 0, "Glass and steel, one litre."),
    ("glass-teapot", "Glass Teapot", "teaware", 28, 50, "Shows what the leaves do. Half a litre, with a strainer."),
    ("gooseneck-kettle", "Gooseneck Kettle", "tools", 59, 90, "Pours where you aim, and holds the temperature."),
    ("honey-spoon", "Honey Spoon", "tools", 4, 50, "Olive wood, turned and oiled."),
    ("kitchen-scale", "Kitchen Scale", "tools", 27, 90, "A tenth of a gram up to two kilos, with a timer."),
    ("matcha", "Ceremonial Matcha", "tea", 29, 0, "Stone-ground green tea from Uji. 30 g."),
    ("rooibos-tea", "Rooibos", "tea", 5, 60, "Red bush from the Cederberg, no caffeine. 100 g, loose."),
    ("travel-mug", "Travel Mug", "coffeeware", 22, 0, "Steel, double-walled, closes tightly. 0.4 litres."),
    ("tea-sampler-2025", "Tea Sampler 2025", "tea", 19, 90, "Last year's box of twelve teas. Sold out for good."),
)
NOT_SOLD_ANY_MORE = {"tea-sampler-2025"}


def upgrade() -> None:
    names = "product_id title description category currency_code units nanos sellable update_time searchable"
    products = sa.table("products", *(sa.column(name) for name in names.split()))
    products.c.update_time.type = sa.DateTime()
    op.bulk_insert(
        products,
        [
            {
                "product_id": product_id,
                "title": title,
                "description": description,
                "category": category,
                "currency_code": "EUR",
                "units": euros,
                "nanos": cents * 10_000_000,
                "sellable": product_id not in NOT_SOLD_ANY_MORE,
                "update_time": datetime(2026, 1, 5, 8),  # noqa: DTZ001 - the column is UTC without saying so
                "searchable": f"{title} {description} {category}".casefold(),
            }
            for product_id, title, category, euros, cents, description in PRODUCTS
        ],
    )


def downgrade() -> None:
    op.execute("DELETE FROM products")
