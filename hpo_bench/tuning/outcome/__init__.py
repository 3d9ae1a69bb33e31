"""What came of a study, and what to do with it."""
