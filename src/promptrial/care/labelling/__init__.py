"""``promptrial label --serve``: a person labels the answers of a sheet in a browser on this machine, one at a time."""
