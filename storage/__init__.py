"""What is remembered, and that it is never lost: the database, learning curves, leases, checkpoints.

This room knows no other. Callers get frozen records, never ORM objects or sessions.
"""
