"""A cohort of networks as one Keras model. Opened by `engines` only."""
