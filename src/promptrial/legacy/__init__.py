"""Runs that an older tool left: reading what stands in them. Nothing here writes; ``engine.migration`` does."""
