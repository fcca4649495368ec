"""How long ``promptrial view`` takes for pages of a run of 200,000 items, and how much memory the server takes.

Questions, passages and answers are those of ``bench_page.py``. The server is a process of its own, and is asked as a
browser asks it: the list of runs, the run, then its items. ``first_items_ms`` is the first page of items that the
process makes, ``first_items_cpu_ms`` the processor time that this takes, and ``filter_first_ms`` and
``search_first_ms`` the first of a filter and of some words; the other times are medians of several requests.
``bench_view.py 20000`` takes another number of items; a folder behind it keeps the run, and is used again. The last
line is JSON; ``met`` says of each figure whether it is within its bound.
"""

from __future__ import annotations

import json
import os
import random  # noqa: TID251 - seeded synthetic data
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from bench_page import VOCABULARY, answers, write_project
from bench_pipeline import answered_run
from environment import environment_line
from zipf_words import Texts

ITEMS: Final = 200_000
ROUNDS: Final = 5
BOUNDS: Final = {"first_items_ms": 500.0, "memory_mb": 500.0}
SETTLE_S: Final = 2.0
_PEAK: Final = re.compile(r"VmHWM:\s+(\d+) kB")


def scored_run(folder: Path, items: int) -> None:
    """Make a run with so many items, as far as its scores."""
    texts = Texts(random.Random(20260101), VOCABULARY)  # noqa: S311 - not for secrets
    flags = answered_run(folder, write_project(folder, items, texts), lambda requests: answers(requests, texts))
    run = [sys.executable, "-m", "promptrial", "run", *flags, "--from_step", "parse", "--to_step", "score"]
    subprocess.run(run, check=True, capture_output=True)


@contextmanager
def viewed(folder: Path) -> Iterator[tuple[Callable[[str], float], int]]:
    """Serve the runs of a folder; yield what times a request in milliseconds, and the process id of the server."""
    command = [sys.executable, "-m", "promptrial", "view", "--no_open", "--experiments_dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        if process.stdout is None:
            raise SystemExit("the server has no output")
        url = process.stdout.readline().strip()
        with httpx.Client(follow_redirects=True, timeout=600, trust_env=False) as browser:
            browser.get(url).raise_for_status()
            base = f"http://{urlsplit(url).netloc}"

            def timed(path: str) -> float:
                began = time.perf_counter()
                browser.get(base + path).raise_for_status()
                return 1000 * (time.perf_counter() - began)

            yield timed, process.pid
        process.terminate()


def cpu_ms(pid: int) -> float:
    """Return the processor time that a process has taken, which other work on the machine hardly changes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(folder: Path, items: int) -> dict[str, float]:
    """Return what was measured of the server."""
    with viewed(folder) as (timed, pid):
        place = "/run/bench/items"

        def median(path: str) -> float:
            return statistics.median(timed(path) for _ in range(ROUNDS))

        found = {"list_ms": median("/"), "run_ms": median("/run/bench")}
        time.sleep(SETTLE_S)  # noqa: TID251 - the server loads its libraries meanwhile, as it does while a person looks
        before = cpu_ms(pid)
        found |= {"first_items_ms": timed(place), "first_items_cpu_ms": cpu_ms(pid) - before}
        found |= {
            "next_page_ms": statistics.median(timed(f"{place}?start={25 * turn}") for turn in range(1, ROUNDS + 1)),
            "last_page_ms": median(f"{place}?start={items - 25}"),
            "filter_first_ms": timed(f"{place}?outcome=fixed"),
            "filter_ms": median(f"{place}?outcome=broken"),
            "one_item_ms": median(f"{place}?item={items // 2}"),
            "search_first_ms": timed(f"{place}?q=gold 77"),
            "search_ms": median(f"{place}?q=gold 77&start=25"),
            "search_and_filter_ms": median(f"{place}?q=gold 77&outcome=fixed"),
        }
        peak = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    return found | ({} if peak is None else {"memory_mb": int(peak[1]) / 1024})


def main() -> None:
    """Print the figures."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    print(environment_line("promptrial", "starlette", "uvicorn", "pyarrow"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(sys.argv[2] if len(sys.argv) > 2 else name)
        folder.mkdir(exist_ok=True)
        if not (folder / "run_bench").exists():
            began = time.perf_counter()
            scored_run(folder, items)
            print(f"{items:,} items; making the run took {time.perf_counter() - began:.0f} s")
        found = measured(folder, items)
    for key, figure in found.items():
        bound = f"  (bound {BOUNDS[key]:g}, ratio {figure / BOUNDS[key]:.2f})" if key in BOUNDS else ""
        print(f"{key:<22}{figure:>9.1f}{bound}")
    met = {key: found[key] <= bound for key, bound in BOUNDS.items() if key in found}
    print(json.dumps({"items": items, **{key: round(figure, 1) for key, figure in found.items()}, "met": met}))


if __name__ == "__main__":
    main()
