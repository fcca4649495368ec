"""Readers of question files, one per official format."""
