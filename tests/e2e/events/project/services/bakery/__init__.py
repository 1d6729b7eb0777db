"""A test's own."""
