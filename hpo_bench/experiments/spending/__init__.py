"""How to spend a budget of example evaluations: few settings on many examples, or many on few."""
