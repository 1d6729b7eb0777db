"""The administration API of a running mesh."""
