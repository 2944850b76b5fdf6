"""Training: two engines behind one interface, and the state of a cohort between two epochs."""
