"""Tasks of lmms-eval, asked of the live model."""
