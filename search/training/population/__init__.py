"""A cohort of networks as one Keras model. Only `engines` imports it."""
