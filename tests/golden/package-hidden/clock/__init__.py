"""Hides clock.v1."""
