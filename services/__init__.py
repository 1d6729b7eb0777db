"""The shop, a reference system: one folder is one bounded context, one process kind and one database."""
