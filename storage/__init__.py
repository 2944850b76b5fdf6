"""Durable storage: the database, learning curves, leases, checkpoints and artifacts.

This package imports no other package of ours. Callers get frozen records, never ORM objects or sessions.
"""
