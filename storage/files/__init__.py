"""Files that a database is not for: checkpoints and trained networks, in a folder or a bucket."""
