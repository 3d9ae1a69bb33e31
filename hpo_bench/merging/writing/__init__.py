"""Models written to folders, whole or not at all."""
