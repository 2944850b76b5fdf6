"""Studies and trials: Optuna's, in bulk, with learning curves, results and leases beside them."""
