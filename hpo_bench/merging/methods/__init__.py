"""Merge methods, one a file: clear arithmetic on task vectors, with the paper at the class."""
