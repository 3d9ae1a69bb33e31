"""Does the ranking of optimisers survive another surrogate, noise, and real merges?"""
