"""Tuning: the objective is a real merge followed by a real evaluation."""
