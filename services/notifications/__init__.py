"""Telling users what became of what they did."""
