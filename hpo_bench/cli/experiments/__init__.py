"""Commands that measure, and write the pages under docs/."""
