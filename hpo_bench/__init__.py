"""The harness: benchmark, report, merging, evaluation and recording."""
