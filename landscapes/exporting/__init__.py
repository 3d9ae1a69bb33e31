"""Landscapes as problems of other benchmarks, whose packages are imported only here, and only when asked for."""
