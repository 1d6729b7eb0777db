"""Who the shop's users are, and the tokens that say so."""
