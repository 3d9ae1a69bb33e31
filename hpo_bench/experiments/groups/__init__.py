"""Whether weights by group of tensors beat one weight for all."""
