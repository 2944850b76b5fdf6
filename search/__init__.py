"""The search: what to try, how to train it, what the results mean.

Imports `storage` and never `dashboards` or `fewest`. TensorFlow and Optuna are imported inside the modules that train
or search, never by the pure ones (`space`, `protocol`, `config`, `front`, `pruning`, `answers`).
"""
