"""Before the first trial: what the models answer as they are, what a trial takes, and how a budget is best spent."""
