"""Any function, on any space: `hb.maximize`, and our optimisers as a sampler of Optuna's."""
