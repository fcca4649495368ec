"""Made-up files of results in the formats of other tools, small enough to check by hand."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = [
    "EVAL_HEADER",
    "helm_run",
    "inspect_json",
    "inspect_samples",
    "inspect_zip",
    "lm_eval_samples",
    "promptfoo_output",
    "write_json_lines",
    "zstd_zip",
]

EVAL_HEADER: Mapping[str, Any] = {"version": 2, "status": "success", "eval": {"task": "arith", "model": "m/base"}}


def write_json_lines(path: Path, rows: Iterable[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def lm_eval_samples(folder: Path, scores: Sequence[float | None], *, task: str = "arc", **more: Any) -> Path:
    """Write the samples of a task into the folder of a model, one for each score of ``acc``."""
    rows = [
        {
            "doc_id": number,
            "doc": {"question": f"q{number}", "passage": f"p{number % 3}"},
            "target": "A",
            "arguments": [[f"q{number}", " A"]],
            "resps": [[["-1.5", "True"]]],
            "filtered_resps": [["-1.5", "True"]],
            "filter": "none",
            "metrics": ["acc", "acc_norm"],
            "doc_hash": f"hash{number}",
            "acc": score,
            "acc_norm": 1.0 if score is None else 1.0 - score,
            **more,
        }
        for number, score in enumerate(scores)
    ]
    return write_json_lines(folder / f"samples_{task}_2025-01-02T03-04-05.678901.jsonl", rows)


def inspect_samples(values: Sequence[object], *, epochs: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "epoch": epoch,
            "input": f"question {number}",
            "target": "x",
            "metadata": {"passage": f"p{number % 2}"},
            "scores": {"match": {"value": value, "answer": "x"}},
        }
        for epoch in range(1, epochs + 1)
        for number, value in enumerate(values)
    ]


def inspect_json(path: Path, samples: Sequence[Mapping[str, Any]], model: str = "m/base", **header: Any) -> Path:
    log = {**EVAL_HEADER, "eval": {"task": "arith", "model": model}, **header, "samples": list(samples)}
    path.write_text(json.dumps(log))
    return path


def inspect_zip(
    path: Path, samples: Sequence[Mapping[str, Any]], model: str = "m/base", *, finished: bool = True
) -> Path:
    header = {**EVAL_HEADER, "eval": {"task": "arith", "model": model}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(header))
        for number, sample in enumerate(samples):
            archive.writestr(f"_journal/summaries/{number}.json", json.dumps([sample]))
        if finished:
            archive.writestr("summaries.json", json.dumps(list(samples)))
            archive.writestr("header.json", json.dumps(header))
    return path


def zstd_zip(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write an archive whose members are compressed with Zstandard: Python's own module only stores them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            archive.writestr(name, pa.compress(data, "zstd", asbytes=True))
    raw = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir
        for info in archive.infolist():
            crc, size = zlib.crc32(members[info.filename]).to_bytes(4, "little"), len(members[info.filename])
            for at, offset in ((info.header_offset, 8), (directory, 10)):
                raw[at + offset : at + offset + 2] = (93).to_bytes(2, "little")
                raw[at + offset + 6 : at + offset + 10] = crc
                raw[at + offset + 14 : at + offset + 18] = size.to_bytes(4, "little")
            directory += 46 + len(info.filename) + len(info.extra) + len(info.comment)
    path.write_bytes(raw)
    return path


def promptfoo_output(
    path: Path, results: Sequence[tuple[str, str, int, bool]], *, version: int = 3, repeat: int = 1, **more: Any
) -> Path:
    """Write an output: each result is provider, prompt, test and whether it passed."""
    rows = [
        {
            "promptIdx": 0,
            "testIdx": test,
            "provider": {"id": provider, "label": ""},
            "prompt": {"raw": prompt, "label": prompt},
            "vars": {"q": f"question {test if repeat == 1 else test // repeat}", "topic": f"t{test % 2}"},
            "success": passed,
            "score": 1.0 if passed else 0.25,
            "namedScores": {"tone": 0.5},
            "failureReason": 0 if passed else 1,
            **more,
        }
        for provider, prompt, test, passed in results
    ]
    config = {"evaluateOptions": {"repeat": repeat}}
    path.write_text(json.dumps({"evalId": "e", "results": {"version": version, "results": rows}, "config": config}))
    return path


def helm_run(folder: Path, model: str, scores: Sequence[float], scenario: str = "mmlu:subject=anatomy") -> Path:
    """Write a run into a folder of the name that HELM gives it."""
    run = folder / f"{scenario},model={model.replace('/', '_')}"
    run.mkdir(parents=True)
    rows = [
        {
            "instance_id": f"id{number}",
            "train_trial_index": 0,
            **({} if plain else {"perturbation": {"name": "typos"}}),
            "stats": [
                {"name": {"name": "num_references", "split": "test"}, "count": 1, "sum": 4.0},
                {"name": {"name": "exact_match", "split": "test"}, "count": 1, "sum": score},
            ],
        }
        for plain in (True, False)
        for number, score in enumerate(scores)
    ]
    path = run / "per_instance_stats.json"
    path.write_text(json.dumps(rows))
    (run / "run_spec.json").write_text(json.dumps({"name": run.name, "adapter_spec": {"model": model}}))
    return path
