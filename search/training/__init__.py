"""How to train it: two engines behind one interface, and what a cohort is between two epochs."""
