"""Runs of an older tool: reading them, and migrating them. Nothing else knows that they exist."""
