"""How many of each product there are, and which of them orders hold."""
