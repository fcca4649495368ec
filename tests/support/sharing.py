"""A run with trouble among its answers, and the files that one process or several make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from promptrial.model.units import Unit
from promptrial.phases import parse, score
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from tests.support.project import Project

__all__ = ["FILES", "answer_all", "made"]

TABLES = ("predictions", "per_item_scores")
FILES = (*(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")), "results_combined.jsonl",
         "quarantine.jsonl", "parse_report.json")  # fmt: skip


def answer_all(project: Project) -> None:
    """Begin the run ``r`` with all answers, in parts of three requests, and some trouble among them."""
    files = {"provider": "files", "providers": {"files": {"type": "batch_file"}}, "pricing": {}}
    project.write_config({**files, "parts_per_dataset": None, "lines_per_part": 3, "temps": [0.0, 0.7]})
    assert project.run("--dry_run", "--to_step", "poll").code == 0
    paths = sorted(project.trial_folder().glob("results/*/results.jsonl"))
    lines = [path.read_bytes().splitlines(keepends=True) for path in paths]
    lines[0] += [lines[0][0], lines[1][0], b'{"custom_id": "cut of']  # again, of another part, and cut off
    lines[1] = lines[1][::-1]
    lines[2] = []
    lines[3][0] = lines[3][0].replace(b'"custom_id":"', b'"custom_id":"x')
    for path, each in zip(paths, lines, strict=True):
        path.write_bytes(b"".join(each))


def made(spec: RunSpec, services: Services, results: Path, **execution: object) -> dict[str, bytes]:
    """Parse and score as settings of ``execution`` say, and return what was written."""
    changed = spec.config.execution.model_copy(update=execution)
    spec = replace(spec, config=spec.config.model_copy(update={"execution": changed}))
    for phase in (parse.PHASE, score.PHASE):
        phase.run(spec, services, Unit(spec.trials[0].slug))
    return {name: (results / name).read_bytes() for name in FILES}
