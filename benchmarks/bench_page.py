"""How large ``report.html`` of 20,000 items is, and how long Chromium takes to open, filter, search and sort it.

Questions have 12 words, answers of both arms 15, and one passage of 120 words belongs to ten questions. Words are made
up from syllables and drawn by Zipf's law (the word of rank r as often as 1/r), as in English, so that the texts deflate
as real ones do. ``bench_page.py 2000`` takes another number of items. The last line is JSON; ``met`` says of each
figure whether it is within the bound that the page promises. Times are medians of several rounds, up to the frame that
shows the result.
"""

from __future__ import annotations

import json
import random  # noqa: TID251 - seeded synthetic data
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench_pipeline import answered_run, write_trial
from environment import environment_line
from zipf_words import Texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ITEMS: Final = 20_000
ROUNDS: Final = 7
BOUNDS: Final = {"megabytes": 15.0, "open_s": 2.0, "filter_ms": 100.0, "search_ms": 100.0}
VOCABULARY: Final = 30_000
_TIMED: Final = """
async (action) => {
  const began = performance.now();
  eval(`(() => { ${action} })()`);
  await new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)));
  return performance.now() - began;
}
"""
_CHIP: Final = "document.querySelector('#outcomes button[value={}]').click()"
_INPUT: Final = "const box = document.getElementById('{}'); box.value = '{}'; box.dispatchEvent(new Event('{}'))"


def write_project(folder: Path, items: int, texts: Texts) -> Path:
    """Write questions, prompts and the configuration; returns its path."""
    with (folder / "questions.jsonl").open("w") as file:
        for number in range(items):
            if number % 10 == 0:
                passage = texts.draw(120)
            row = {
                "id": f"q{number}",
                "question": f"{texts.draw(12)}?",
                "answers": [f"gold {number}"],
                "context": passage,
            }
            file.write(json.dumps(row) + "\n")
    return write_trial(
        folder,
        "Answer in one sentence.",
        {"questions": {"format": "custom", "path": "questions.jsonl"}},
        stats={"bootstrap_samples": 1000, "permutation_samples": 9999},
    )


def answers(requests: Path, texts: Texts) -> Iterator[bytes]:
    """Yield a raw result row for each request: 15 words, sometimes the right answer alone."""
    from promptrial.model import ids

    for line in requests.open("rb"):
        wire = json.loads(line)["custom_id"]
        number = ids.wire_decode(wire).item_id.removeprefix("q")
        text = f"gold {number}" if texts.source.random() < 0.3 else texts.draw(15)
        message = {"role": "assistant", "content": text}
        response = {
            "id": wire, "object": "chat.completion", "model": "synthetic",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220},
        }  # fmt: skip
        yield json.dumps({"custom_id": wire, "response": response}).encode()


def finished_page(folder: Path, items: int) -> tuple[Path, float]:
    """Make a run with so many items; returns its page, and how many seconds the report took."""
    texts = Texts(random.Random(20260101), VOCABULARY)  # noqa: S311 - not for secrets
    flags = answered_run(folder, write_project(folder, items, texts), lambda requests: answers(requests, texts))
    run = [sys.executable, "-m", "promptrial", "run", *flags]
    subprocess.run([*run, "--from_step", "parse", "--to_step", "costs"], check=True, capture_output=True)
    began = time.perf_counter()
    subprocess.run([*run, "--only_step", "report"], check=True, capture_output=True)
    return folder / "run_bench/report.html", time.perf_counter() - began


def timed(page: Page, *actions: str) -> float:
    """Return the median time of an action in milliseconds; actions take turns."""
    return statistics.median(float(page.evaluate(_TIMED, action)) for _ in range(ROUNDS) for action in actions)


def measured(browser: Browser, path: Path) -> dict[str, float]:
    """Return what was measured of a page."""
    opened = []
    for _ in range(ROUNDS):
        page = browser.new_page(
            viewport={"width": 1280, "height": 800}, bypass_csp=True
        )  # for eval, of the bench alone
        began = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready]", state="attached")
        opened.append(time.perf_counter() - began)
        first_search = float(page.evaluate(_TIMED, _INPUT.format("query", "bana", "input")))
        if len(opened) < ROUNDS:
            page.close()
    page.evaluate(_TIMED, _INPUT.format("query", "", "input"))
    return {
        "megabytes": path.stat().st_size / 1e6,
        "open_s": statistics.median(opened),
        "filter_ms": timed(page, *(_CHIP.format(each) for each in ("fixed", "both_wrong"))),
        "search_ms": timed(page, *(_INPUT.format("query", each, "input") for each in ("stan", "gold 77"))),
        "first_search_ms": first_search,
        "sort_ms": timed(page, *(_INPUT.format("sort", each, "change") for each in ("longest", "best", "order"))),
        "next_item_ms": timed(
            page, "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}))"
        ),
    }


def main() -> None:
    """Print the figures."""
    from playwright.sync_api import sync_playwright

    items = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    chromium = shutil.which("chromium") or sys.exit("Chromium is not installed: apt-get install chromium")
    print(environment_line("promptrial", "playwright"))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path, report_s = finished_page(Path(folder), items)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = measured(browser, path)
        print(f"{items:,} items, Chromium {browser.version}; the report phase took {report_s:.1f} s")
        browser.close()
    for name, figure in found.items():
        bound = f"  (bound {BOUNDS[name]:g}, ratio {figure / BOUNDS[name]:.2f})" if name in BOUNDS else ""
        print(f"{name:<18}{figure:>9.2f}{bound}")
    met = {name: found[name] <= bound for name, bound in BOUNDS.items()}
    print(json.dumps({"items": items, **{name: round(figure, 3) for name, figure in found.items()}, "met": met}))


if __name__ == "__main__":
    main()
