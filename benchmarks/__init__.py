"""Measured comparisons; `make bench` files them as run records."""
