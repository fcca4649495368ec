"""Packs of scorers that belong together, one folder for each."""
