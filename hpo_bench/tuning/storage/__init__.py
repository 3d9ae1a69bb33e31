"""Where studies are kept: their trials in an Optuna storage, the answers beside it."""
