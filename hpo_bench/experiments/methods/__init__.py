"""The study's comparison of merge methods, on pairs that are here: scores, costs, and which of its findings hold."""
