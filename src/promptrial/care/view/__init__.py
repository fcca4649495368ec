"""``promptrial view``: runs in a browser on this machine, live and item by item. Reads only, except for a stop."""
