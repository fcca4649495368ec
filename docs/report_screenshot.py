"""Take the picture of a report for the docs: run the sample experiment on the embedded model, and open its page.

``python docs/report_screenshot.py`` takes a minute or two and writes ``docs/images/report.png``: the first screen at
1280 x 800, in the Chromium of the system. The picture depends on the fonts of the system, so no test compares it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs/images/report.png"
_COMMAND: Final = ("-m", "promptrial", "demo", "--run_id", "demo")


def finished_page(folder: Path) -> Path:
    """Run the sample experiment in a folder, and return its page."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PROMPTRIAL_")}
    subprocess.run([sys.executable, *_COMMAND], cwd=folder, env=env, check=True, capture_output=True)  # noqa: S603 - our own program
    return folder / "experiments/run_demo/report.html"


def take(page: Path, picture: Path) -> None:
    """Write the first screen of a page as a picture."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 800})
        opened.goto(page.as_uri())
        opened.wait_for_selector("body[data-ready]", state="attached")
        opened.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        take(finished_page(Path(name)), PICTURE)
