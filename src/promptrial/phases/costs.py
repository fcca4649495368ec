"""Costs: from the predictions' token counts and the scores to ``costs.json``. The arithmetic is ``promptrial.costs``."""

PHASE = None
