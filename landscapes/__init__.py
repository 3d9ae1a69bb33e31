"""Recorded merge landscapes: search space, grid, card, and the surrogate fitted on them."""
