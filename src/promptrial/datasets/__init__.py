"""Readers of question files, one per official format, with sampling and access to the hub."""
