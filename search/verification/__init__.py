"""Verification: candidates retrained from many seeds, and scored once on the sealed test set."""
