"""What a service imports."""
