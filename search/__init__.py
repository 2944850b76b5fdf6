"""What to try, how to train it, what it means.

Imports `storage` and never `dashboards` or `fewest`. TensorFlow and Optuna are imported inside the modules that train
or search, never by the pure ones (`space`, `protocol`, `config`, `front`, `pruning`, `answers`).
"""
