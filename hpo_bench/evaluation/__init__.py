"""Examples, how they are split, and evaluators that score a model on them one by one."""
