"""Knowing what goes with what."""
