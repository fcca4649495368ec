"""Results made elsewhere: reads the per-item scores of other tools, and pairs and analyses them as those of a run."""
