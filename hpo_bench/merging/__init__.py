"""Merging a VLM's language backbone with an expert language model."""
