"""Runs of promptrial's predecessor: reading them, and migrating them. Others know no more than one key of theirs."""
