"""Words of cards and places of landscapes, for whoever needs no more: nothing is imported for them."""

from pathlib import Path

DOMAINS = ("language", "maths", "instructions", "other")
METHODS = ("ta", "dare", "ties", "other")
OWN = Path("my-landscapes")
"""The user's own, below the folder they stand in: found by name where no shipped one has it, never run unasked."""
