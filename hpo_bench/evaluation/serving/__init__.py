"""Answers by a serving engine that is handed each merge's weights."""
