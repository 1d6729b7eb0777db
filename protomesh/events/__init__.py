"""Generated: the versions of one contract."""
