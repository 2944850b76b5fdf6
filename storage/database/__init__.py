"""The database itself: opening it, its tables, transactions, and what its failures mean."""
