"""Writes ``benchmarks/slopes.json`` from what two benchmarks measured: the input of the tables on ``docs/scaling.md``.

    python benchmarks/bench_pipeline.py 250000 1000000 --json pipeline.json
    python benchmarks/bench_parts.py 100 --asked 2 100 10000 --json parts.json
    python benchmarks/scaling.py pipeline.json parts.json && make docs

Memory and processor time of a phase are a straight line through the two largest sizes. ``--without_times`` leaves the
times out: those of a busy machine would be read as those of the program.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench_parts import Asked, beyond
from bench_pipeline import BEFORE, PHASES

SLOPES: Final = Path(__file__).resolve().parent / "slopes.json"
_MILLION: Final = 1_000_000
Points = Mapping[int, float]


def line(points: Points) -> dict[str, float]:
    """Return the straight line through two points: its value at 0, and how much it rises per million."""
    (small, low), (large, high) = sorted(points.items())
    slope = (high - low) / (large - small)
    return {"fixed": round(low - slope * small, 1), "per_million": round(slope * _MILLION, 1)}


def slopes(pipeline: Mapping[str, Any], parts: Mapping[str, Any], *, times: bool) -> dict[str, Any]:
    """Return the slopes, from the JSON of ``bench_pipeline.py`` and ``bench_parts.py``.

    Raises
    ------
    ValueError
        If fewer than two sizes were measured, or no parts were asked.
    """
    steps, asked = pipeline["answers"], {int(size): Asked(**each) for size, each in parts["asked"].items()}
    sizes = sorted(map(int, steps))[-2:]
    if len(sizes) < 2 or len(asked) < 2:
        raise ValueError("needs two sizes of bench_pipeline.py, and bench_parts.py with --asked")

    def points(phase: str, figure: str) -> dict[int, float]:
        return {size: float(steps[str(size)][phase][figure]) for size in sizes}

    first, largest = min(asked), max(asked)
    cost = beyond((first, asked[first]), largest, asked[largest])
    return {
        "machine": pipeline["environment"].removeprefix("# "),
        "answers": sizes,
        "parts": [first, largest],
        "phases": {
            phase: {
                "megabytes": line(points(phase, "megabytes")),
                "processor_s_per_million": line(points(phase, "processor"))["per_million"] if times else None,
            }
            for phase in (*BEFORE, *PHASES)
        },
        "bytes_per_answer": {
            kind: round(size / sizes[-1], 1) for kind, size in pipeline["disk"][str(sizes[-1])].items()
        },
        "part": {
            "load": round(parts["load"], 1),
            "processor_ms": round(cost["processor ms a part"], 1),
            "written_bytes": round(1e3 * cost["KB a part"]),
            "events": round(cost["events a part"], 2),
            "record_bytes": round((asked[largest].manifests - asked[first].manifests) / (largest - first)),
        },
    }


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pipeline", type=Path)
    parser.add_argument("parts", type=Path)
    parser.add_argument("--without_times", action="store_true")
    given = parser.parse_args()
    pipeline, parts = (json.loads(path.read_text()) for path in (given.pipeline, given.parts))
    SLOPES.write_text(json.dumps(slopes(pipeline, parts, times=not given.without_times), indent=2) + "\n")


if __name__ == "__main__":
    main()
