"""Which optimiser finds the best merge soonest: what to run, running it, keeping it, and what came of it."""
