"""The services of {{name}}: one folder each, one process each."""
