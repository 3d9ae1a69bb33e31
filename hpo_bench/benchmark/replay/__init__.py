"""Recorded answers replayed example by example: tuning as it would have gone, scored on examples it never saw."""
