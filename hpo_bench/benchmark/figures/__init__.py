"""The report's figures, one a file."""
