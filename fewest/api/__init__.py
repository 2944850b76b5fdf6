"""For programs: search on data in memory, the answer as an object, and a classifier that finds its size."""
