"""What to try: the study in the storage, its history, the next architectures, which curves may still win."""
