"""The pytest plugin: loaded wherever Protomesh is installed, so it imports what it needs only when a test asks."""
