"""Files that do not belong in a database: checkpoints and trained networks, in a folder or a bucket."""
