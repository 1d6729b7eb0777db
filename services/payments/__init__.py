"""Taking money, once."""
