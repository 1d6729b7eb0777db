"""Content: what each platform is told about a mesh. Targets read the model and know no other target."""
