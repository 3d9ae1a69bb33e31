"""GP-BO against the optimisers of other packages."""
