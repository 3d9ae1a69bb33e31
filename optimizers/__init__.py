"""Optimisers for expensive, low-dimensional problems: ask/tell on the unit cube, always maximising."""
