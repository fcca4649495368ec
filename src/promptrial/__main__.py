"""``python -m promptrial``: the same program as ``promptrial``."""

from promptrial.cli.start import entry_point

entry_point()
