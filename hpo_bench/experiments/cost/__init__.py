"""What tuning, merging and suggesting cost."""
