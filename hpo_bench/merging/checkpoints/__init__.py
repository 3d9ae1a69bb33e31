"""Models on disk: which tensor is which, and whether base, VLM and expert correspond."""
