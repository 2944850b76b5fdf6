"""What to try: the study in the storage, its history, the sampler of architectures, the pruning rule."""
