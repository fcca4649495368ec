"""The tables of the page on large runs: what was measured for each answer and part, and what follows for many.

The figures are in ``benchmarks/slopes.json``, which ``benchmarks/scaling.py`` writes from what the benchmarks measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from promptrial import registry
from promptrial.config.execution import ExecutionConfig
from promptrial.config.presets import PRESETS
from promptrial.design.parts import DEFAULT_LINES_PER_PART
from promptrial.model.instances import Limits
from promptrial.providers.capabilities import LimitsJobs

SLOPES: Final = Path(__file__).resolve().parent.parent / "benchmarks" / "slopes.json"
ANSWERS: Final = 100_000_000
ARMS: Final = 2
MEMORY_GB: Final = 64
HOSTED: Final = ("openai", "groq", "anthropic", "fireworks")
_UNMEASURED: Final = "not measured"
_MILLION: Final = 1_000_000


def measured() -> dict[str, Any]:
    """Return the slopes."""
    found: dict[str, Any] = json.loads(SLOPES.read_text(encoding="utf-8"))
    return found


def memory_gb(phase: dict[str, Any], answers: int) -> float:
    """Return the memory of a phase at a number of answers, on a straight line."""
    line = phase["megabytes"]
    return float(line["fixed"] + line["per_million"] * answers / _MILLION) / 1e3


def answers_within(phase: dict[str, Any], gigabytes: float) -> float:
    """Return the number of answers at which the memory of a phase reaches a size."""
    line = phase["megabytes"]
    return math.inf if line["per_million"] <= 0 else _MILLION * (1e3 * gigabytes - line["fixed"]) / line["per_million"]


def first_bottleneck(slopes: dict[str, Any], gigabytes: float = MEMORY_GB) -> str:
    """Return the phase whose memory reaches a size first."""
    phases: dict[str, Any] = slopes["phases"]
    return min(phases, key=lambda name: answers_within(phases[name], gigabytes))


def rows_of_a_part(vendor: str, bytes_of_a_request: float) -> int:
    """Return how many requests one job of a vendor may have: by its limit of rows, or by that of bytes."""
    preset = PRESETS[vendor]
    kind = registry.load("provider", preset.batch or vendor)
    own: Limits = kind.limits if isinstance(kind, LimitsJobs) else preset.limits
    rows = preset.limits.rows or own.rows or math.inf
    size = preset.limits.size or own.size or math.inf
    return int(min(rows, size // bytes_of_a_request))


def parts(rows: int, answers: int = ANSWERS) -> int:
    """Return into how many parts the answers are cut, arm by arm."""
    return ARMS * math.ceil(answers / ARMS / rows)


def phase_table() -> str:
    """Return the memory and the time of each phase: as measured, and as they follow for many answers."""
    slopes = measured()
    small, large = slopes["answers"]
    heads = (
        "phase",
        "MB without answers",
        "MB per million answers",
        "CPU s per million answers",
        f"memory at {ANSWERS:,} answers",
        f"answers in {MEMORY_GB} GB",
    )
    rows = []
    for name, phase in slopes["phases"].items():
        line, seconds = phase["megabytes"], phase["processor_s_per_million"]
        rows.append(
            (
                name,
                f"{line['fixed']:.0f}",
                f"{line['per_million']:.0f}",
                _UNMEASURED if seconds is None else f"{seconds:.1f}",
                f"{memory_gb(phase, ANSWERS):.0f} GB",
                f"{answers_within(phase, MEMORY_GB) / _MILLION:,.0f} million",
            )
        )
    said = f"Measured at {small:,} and {large:,} answers in one process ({slopes['machine']})."
    first = f"The first bottleneck is the memory of *{first_bottleneck(slopes)}*: it reaches {MEMORY_GB} GB first."
    return f"{_table(heads, rows)}\n{said}\n{first}\n"


def disk_table() -> str:
    """Return the bytes of each kind of file: for one answer as measured, and for many."""
    slopes = measured()
    sizes = slopes["bytes_per_answer"]
    rows = [
        (kind, f"{size:,.0f}", f"{size * ANSWERS / 1e9:,.0f} GB")
        for kind, size in [*sizes.items(), ("all", sum(sizes.values()))]
    ]
    heads = ("files", "bytes per answer", f"at {ANSWERS:,} answers")
    return f"{_table(heads, rows)}\nMeasured at {slopes['answers'][1]:,} answers.\n"


def part_table() -> str:
    """Return how many parts many answers have, by vendor, and what follows from that."""
    slopes = measured()
    part, request = slopes["part"], slopes["bytes_per_answer"]["requests"]
    at_a_time = ExecutionConfig().max_concurrent_jobs
    cuts = {"the default": DEFAULT_LINES_PER_PART}
    cuts |= {f"`{name}`, as large as allowed": rows_of_a_part(name, request) for name in HOSTED}
    heads = (
        "parts of",
        "requests in a part",
        "parts",
        "records",
        "written for the jobs",
        "program's CPU for the jobs",
        f"rounds of {at_a_time} jobs",
    )
    rows = []
    for name, size in cuts.items():
        count = parts(size)
        rows.append(
            (
                name,
                f"{size:,}",
                f"{count:,}",
                f"{count * part['record_bytes'] / 1e6:,.1f} MB",
                f"{count * part['written_bytes'] / 1e6:,.0f} MB",
                f"{count * part['processor_ms'] / 6e4:,.1f} min",
                f"{math.ceil(count / at_a_time):,}",
            )
        )
    said = (
        f"Measured with {slopes['parts'][1]:,} parts of one request on the emulator: {part['record_bytes']:,} bytes of "
        f"records, {part['written_bytes']:,} bytes written, {part['processor_ms']:.0f} ms and {part['events']:.0f} "
        f"lines of the journal for each part, with a load of {part['load']}. Larger requests and answers come on top "
        f"of that."
    )
    return f"{_table(heads, rows)}\n{said}\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


GENERATED: Final[dict[str, Callable[[], str]]] = {
    "scaling phases": phase_table,
    "scaling disk": disk_table,
    "scaling parts": part_table,
}
