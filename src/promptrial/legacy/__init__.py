"""Runs of promptrial's predecessor: reading them, and migrating them. Nothing else knows that they exist."""
