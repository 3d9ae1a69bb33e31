"""Gaussian processes for many independent data sets of one size at once, in double precision.

Shapes: B data sets (runs), n points each, d dimensions, m places to predict at.
"""
