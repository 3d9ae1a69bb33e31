"""Workers, which hold a pair in memory, and merge and evaluate what they are told."""
