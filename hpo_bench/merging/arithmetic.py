"""Whose arithmetic a merge follows, and whose random masks."""

from typing import Literal

Mode = Literal["mergekit", "paper"]
"""Whose arithmetic: mergekit's, or what a method's paper says where they differ."""

Masks = Literal["counter", "mergekit"]
"""Random masks: from a counter, or as mergekit draws them from torch's global generator."""
