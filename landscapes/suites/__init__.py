"""What landscapes are like, in a few numbers, and small sets of them that stand for all."""
