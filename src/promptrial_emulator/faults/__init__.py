"""Faults on demand: which there are, and what each does to replies, rows and transfers."""
