# mypy: disallow-subclassing-any=False
# The contract's Python is made when the tests start, so mypy can't see it.

