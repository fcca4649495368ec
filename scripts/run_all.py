"""``python -m scripts.run_all``: the same program as ``promptrial run``, with the same flags. It never asks."""

import sys
from pathlib import Path

if not __package__:  # started as a file: the folder above is not yet on the path
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import scripts  # noqa: F401 - says which command sets the project up, if it is not
from promptrial.cli.start import entry_point

if __name__ == "__main__":
    entry_point(["run", *sys.argv[1:]], unattended=True)
