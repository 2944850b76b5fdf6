"""What it means: the front, verified networks, evidence, answers. Plain Python; reading commands import it."""
