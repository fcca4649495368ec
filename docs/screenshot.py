"""Take the picture of the README: run the sample experiment, and draw what it printed as a terminal.

``python docs/screenshot.py`` takes some minutes and writes ``docs/images/demo.svg``; ``--check`` changes nothing and
ends with 1 if the picture is no longer what the program prints. Lines that speak of speed are left out, so that the
same program gives the same picture.
"""

from __future__ import annotations

import html
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs/images/demo.svg"
COMMAND: Final = ("promptrial", "run", "--run_id", "demo")
_LINE: Final = 19
_CHARACTER: Final = 8.4
_MARGIN: Final = 14
_BOLD: Final = ' font-weight="bold"'


def printed() -> list[str]:
    """Run the sample experiment in an empty folder and return what it printed, but for how fast it went."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", *COMMAND, "--config", str(ROOT / "config/eval_config.yaml")],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("PROMPTRIAL_")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
    return [line for line in outcome.stdout.splitlines() if not line.startswith("  poll: ")]


def _text(line: str) -> str:
    """Return a line as text in SVG, its spaces such as no browser runs together."""
    return html.escape(line, quote=False).replace(" ", "\N{NO-BREAK SPACE}")


def picture(lines: list[str]) -> str:
    """Return the lines as a terminal in SVG, under the command that printed them. It loads no font and no style."""
    lines = ["$ " + " ".join(COMMAND), *lines]
    width = round(max(map(len, lines)) * _CHARACTER) + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    rows = [
        f'  <text x="{_MARGIN}" y="{_MARGIN + number * _LINE - 5}" textLength="{len(line) * _CHARACTER:.1f}"'
        f' lengthAdjust="spacingAndGlyphs"{_BOLD if number == 1 else ""}>{_text(line)}</text>'
        for number, line in enumerate(lines, 1)
        if line
    ]
    font = 'font-family="\'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="14"'
    view = f'viewBox="0 0 {width} {height}" fill="#242938"'
    paper = f'  <rect width="{width}" height="{height}" rx="8" fill="#f6f7fb" stroke="#c9cede"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {view} {font}>', paper, *rows, "</svg>\n"])


def run(arguments: list[str]) -> int:
    """Draw, or check."""
    drawn = picture(printed())
    if arguments == ["--check"]:
        same = PICTURE.exists() and PICTURE.read_text() == drawn
        if not same:
            sys.stderr.write(f"{PICTURE.relative_to(ROOT)} is out of date; run: python docs/screenshot.py\n")
        return 0 if same else 1
    PICTURE.write_text(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
