"""Landscapes from real merges of a pair."""
