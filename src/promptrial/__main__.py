"""``python -m promptrial``: the same program as ``promptrial``."""

from promptrial.start import entry_point

entry_point()
