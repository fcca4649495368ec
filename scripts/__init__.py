"""Entry points for ``python -m scripts.NAME``: the same program as ``promptrial``, under the names of runbooks."""

import sys

try:
    import promptrial  # noqa: F401 - to see whether it can be imported
except ModuleNotFoundError as error:
    sys.exit(
        f"this Python ({sys.executable}) lacks {error.name}.\n"
        "  next: make setup, and then use .venv/bin/python, for example: .venv/bin/python -m scripts.run_all --help"
    )
