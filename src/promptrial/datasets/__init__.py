"""Where questions come from: one reader for each format, sampling, and the hub."""
