"""On which samples: loading, checking and splitting data, and the sealed test set."""
