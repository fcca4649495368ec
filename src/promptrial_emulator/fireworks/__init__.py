"""The Fireworks batch API: its routes, jobs, data sets and storage."""
