"""What data-aware merge methods are given: sets of examples, and statistics of models on them."""
