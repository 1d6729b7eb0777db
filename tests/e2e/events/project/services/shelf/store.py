"""The shelf's table."""

from sqlalchemy import Column, Integer, MetaData, String, Table

METADATA = MetaData()
LOAVES = Table(
    "loaves",
    METADATA,
    Column("position", Integer, primary_key=True),
    Column("oven", String(16), nullable=False),
    Column("number", Integer, nullable=False),
    Column("publisher", String(64), nullable=False),
)
