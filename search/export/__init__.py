"""A network of a study as a file that other programs run."""
