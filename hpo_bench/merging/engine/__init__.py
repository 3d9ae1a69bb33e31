"""Merging in place, again and again, and mergekit to compare with."""
