"""A judge: another model that says how good an answer is, for money, and never twice for the same."""
