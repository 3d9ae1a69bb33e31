"""Other people's optimisers behind our ask/tell, so that they run, are stored and are reported as ours are.

One adapter a file. Each gives the peer what its own documentation gives it, and states whatever had to be decided.
"""
