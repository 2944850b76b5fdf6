"""What the results mean: the front, verified networks, evidence, answers. Plain Python; reading commands import it."""
