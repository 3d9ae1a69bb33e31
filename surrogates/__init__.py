"""Interpolators over (n, d) arrays and measures of how far they can be trusted."""
