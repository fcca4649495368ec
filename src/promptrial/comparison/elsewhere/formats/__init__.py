"""Formats of result files, one module each: files become rows of scores."""
