"""Everything that should be known of a pair before anything is spent on it."""
