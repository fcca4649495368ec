"""``python -m promptrial``: the same program as ``promptrial``."""

from promptrial.cli.main import entry_point

entry_point()
