"""Tiny real VLM-LLM pairs, trained from scratch on a CPU, that the shipped grids were recorded from."""
