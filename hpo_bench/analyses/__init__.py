"""What landscapes are like: how far they can be trusted, and the study's own analyses on them."""
