"""Runs as an older tool left them, made up in its formats: folders, file names, keys and fillers are the tool's own.

``v1`` has manifests without a schema version and no ``run_state.json``. ``v2`` is a little later: its manifests are of
version 2, and its state claims more than its trial folders hold. Both were made from the same prepared questions. In
both, one trial went all the way to a report. The formats were read from real runs, which are no part of the project.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any, Final

import yaml

__all__ = [
    "NAMES",
    "REAL",
    "SLUG",
    "lay_out_prepared",
    "lay_out_run",
    "write_prepared",
    "write_run",
]

REAL: Final = Path(__file__).parents[3] / "shared/data/legacy_runs"
NAMES: Final = {"v1": "run_legacy_v1", "v2": "run_legacy_v2_early"}
"""The folders of the real runs."""

_MODEL: Final = "accounts/fireworks/models/gpt-oss-120b"
_PROMPT_SETS: Final = ("excellence_75_percent", "operational_only", "structure_without_content")
_TAIL: Final = "tp1-tk50-mx1024-1024"
SLUG: Final = f"gpt-oss-120b-{_PROMPT_SETS[0]}-{_TAIL}"
"""The trial that was finished."""
_METRICS: Final = ("abstain_rate", "em", "f1", "false_answer_rate", "unsupported_rate")
_RUN_IDS: Final = {"v1": "legacy_0a1b2c3", "v2": "legacy_4d5e6f7"}
_TIME: Final = "2026-01-05T10:00:00.000000Z"
_STAGES: Final = ("downloaded", "parsed", "scored", "stats", "costs", "report", "archived")

_PASSAGES: Final = (
    (
        "The mill at Brackwater was built in 1822. It ground oats until the weir broke.",
        "When was the mill built?",
        "1822",
    ),
    ("Slate from Corrie Fell roofs the old market. It is carried down by cable.", "What roofs the market?", "Slate"),
    ("The ferry to Tern Isle sails twice a day. In winter it sails once.", "Where does the ferry sail?", "Tern Isle"),
    ("Bees at the priory make heather honey. The hives face south.", "What do the bees make?", "heather honey"),
)
_CLOSED: Final = (
    ("which metal is liquid at room temperature", ["mercury", "quicksilver"]),
    ("how many legs has a spider", ["8", "eight"]),
    ("what gas do plants take in", ["carbon dioxide"]),
    ("which planet has the largest rings", ["Saturn"]),
    ("what is the hardest natural mineral", ["diamond"]),
    ("how many sides has a hexagon", ["six", "6"]),
    ("what is frozen water called", ["ice"]),
    ("which ocean is the largest", ["the Pacific", "Pacific Ocean"]),
    ("what colour is chlorophyll", ["green"]),
    ("how many minutes has an hour", ["60", "sixty"]),
    ("what do bees collect", ["nectar", "pollen"]),
    ("which season follows winter", ["spring"]),
)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_prepared(folder: Path) -> None:
    """Write the prepared questions: twelve with a passage, eight of them unanswerable, and twelve without."""
    folder.mkdir(parents=True)
    for name, rows in (("open_book", _open_items()), ("closed_book", _closed_items())):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_run(root: Path, version: str) -> None:
    """Write a whole run of the older tool; ``version`` is a key of ``NAMES``."""
    trials = {name: root / f"gpt-oss-120b-{name}-{_TAIL}" for name in _PROMPT_SETS}
    for name, folder in trials.items():
        (folder / "results").mkdir(parents=True)
        answered = version == "v1" or folder.name == SLUG
        manifest = _manifest_v1(name) if version == "v1" else _manifest_v2(name, answered=answered)
        _write_json(folder / "results/trial_manifest.json", manifest)
        if answered:
            _write_parts(folder / "results")
    _write_finished(trials[_PROMPT_SETS[0]])
    (root / "effective_config.yaml").write_text(yaml.safe_dump(_config(version), sort_keys=False), encoding="utf-8")
    _write_json(root / "multi_trial_manifest.json", _multi_trial_manifest(version))
    table = f"| {SLUG} | {_MODEL} | {_PROMPT_SETS[0]} | 0.0% | 0.0% | 0.0% | 0.0% |"
    (root / "aggregate_report.md").write_text(
        f"# Aggregate Trial Comparison\n\nRun ID: {_RUN_IDS[version]}\n\n{table}\n"
    )
    if version == "v2":
        _write_json(root / "run_state.json", _state())
        (root / ".state.lock").write_text("")


def lay_out_run(root: Path, version: str, *, real: bool = False) -> None:
    """Put an older run at ``root``: the made-up one, or a copy of the real one."""
    if real:
        _copy(REAL / NAMES[version], root)
    else:
        write_run(root, version)


def lay_out_prepared(folder: Path, *, real: bool = False) -> None:
    """Put the questions that both runs were made from into ``folder``."""
    if real:
        _copy(REAL / "prepared", folder)
    else:
        write_prepared(folder)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


# --- questions and answers -------------------------------------------------------------------------------------------


def _open_items() -> list[dict[str, Any]]:
    items = []
    for number, (passage, question, answer) in enumerate(_PASSAGES):
        asked = [(question, [answer], False), ("Who owns it?", [], True), ("What did it cost?", [], True)]
        items += [
            {
                "dataset": "squad_v2",
                "id": f"5ad3{number}{position}",
                "question": text,
                "context": passage,
                "answers": answers,
                "is_unanswerable": unanswerable,
            }
            for position, (text, answers, unanswerable) in enumerate(asked)
        ]
    return items


def _closed_items() -> list[dict[str, Any]]:
    return [
        {"dataset": "nq_open", "id": f"nq_{100 + number}", "question": question, "answers": answers}
        for number, (question, answers) in enumerate(_CLOSED)
    ]


def _requests(arm: str) -> list[str]:
    items = [(item, kind) for kind, items in (("open", _open_items()), ("closed", _closed_items())) for item in items]
    return [f"{item['dataset']}|{item['id']}|{arm}|0.0|0|{kind}" for item, kind in items]


def _row(request: str) -> dict[str, Any]:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"message": {"content": "dummy"}, "finish_reason": "stop"}
    return {"custom_id": request, "response": {"body": {"choices": [choice]}, "usage": usage}}


def _write_parts(results: Path) -> None:
    for arm in ("control", "treatment"):
        for part in range(3):
            name = f"t0_{arm}_p{part + 1:02d}"
            _write_rows(results / name / "results.jsonl", _requests(arm)[part * 8 : part * 8 + 8])
            (results / f"{name}_OUTPUT_DATASET_ID.txt").write_text(f"dry-{name}")
            job = {"state": "COMPLETED", "name": f"dryrun/{name}", "outputDatasetId": f"dry-{name}"}
            _write_json(results / f"{name}_job.json", job)


def _write_rows(path: Path, requests: list[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(_row(request)) + "\n" for request in requests))


# --- what a finished trial has ---------------------------------------------------------------------------------------


def _write_finished(trial: Path) -> None:
    results = trial / "results"
    requests = [*_requests("treatment"), *_requests("control")]
    _write_rows(results / "results_combined.jsonl", requests)
    (results / "predictions.csv").write_text(_predictions(requests))
    (results / "per_item_scores.csv").write_text(_scores(requests))
    delta = {"delta_mean": 0.0, "ci_95": [0.0, 0.0], "n_items": 12}
    means = {"n_items": 12, "metrics": dict.fromkeys(_METRICS, delta)}
    _write_json(
        results / "significance.json",
        {"schema_version": 2, "temps": [0.0], "results": {"0.0": {"closed": means, "open": means}}},
    )
    _write_json(
        results / "costs.json",
        {
            "prompt_tokens": 48,
            "completion_tokens": 48,
            "total_tokens": 96,
            "usd": 1.8e-05,
            "batch_discount_applied": True,
        },
    )
    _write_json(
        results / "cost_effectiveness.json", {"results": {"0.0": {"usd_control": 9e-06, "usd_treatment": 9e-06}}}
    )
    _write_json(results / "mixed_models.json", {"status": "unavailable", "n_rows": 48, "n_items": 24})
    _write_json(results / "power_analysis.json", {"alpha": 0.05, "power": 0.8, "results": {"0.0": {"n_items": 8}}})
    _write_json(results / "unsupported_sensitivity.json", {"strategy": "overlap", "results": {"0.0": {"0.50": delta}}})
    report = trial / "reports/report.md"
    report.parent.mkdir()
    report.write_text(f"# Evaluation Report\n\nModel: {_MODEL}\nTemperatures: 0.0\n\n- Control prompt tokens: 12\n")


def _predictions(requests: list[str]) -> str:
    columns = ("dataset", "item_id", "condition", "temp", "sample_index", "type")
    rows = [dict(zip(columns, request.split("|"), strict=True)) | {"custom_id": request} for request in requests]
    tail = {"finish_reason": "stop", "response_text": "dummy", "prompt_tokens": 1, "completion_tokens": 1}
    header = ("custom_id", *columns, "request_id", *tail, "total_tokens")
    return _csv(header, [row | tail | {"request_id": "", "total_tokens": 2} for row in rows])


def _scores(requests: list[str]) -> str:
    """Every answer is the filler: no match, no abstention, and a false answer to each unanswerable question."""
    unanswerable = {item["id"] for item in _open_items() if item["is_unanswerable"]}
    rows = []
    for request in requests:
        dataset, item, arm, temp, _sample, kind = request.split("|")
        scores: dict[str, Any] = {"abstain_rate": 0.0, "em": 0.0}
        if kind == "open":  # the tool left the other three empty where there was no passage
            scores |= {"f1": 0.0, "false_answer_rate": float(item in unanswerable), "unsupported_rate": 1.0}
        spreads = {f"{name}_std": 0.0 for name in scores}
        rows.append(scores | spreads | {"condition": arm, "item_key": f"{dataset}|{item}", "temp": temp, "type": kind})
    return _csv(tuple(sorted(rows[0])), rows)  # the first row is an open-book one, which has every column


def _csv(header: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# --- records ---------------------------------------------------------------------------------------------------------


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2))


def _trial(name: str) -> dict[str, Any]:
    limits = {"closed_book": 1024, "open_book": 1024}
    return {"model_id": _MODEL, "prompt_set": name, "top_p": 1.0, "top_k": 50, "max_new_tokens": limits}


def _parts() -> list[tuple[str, str]]:
    return [(f"t0_{arm}", f"t0_{arm}_p{part:02d}") for arm in ("control", "treatment") for part in (1, 2, 3)]


def _by_key(prefix: str) -> dict[str, list[str]]:
    return {key: [f"{prefix}{part}" for own, part in _parts() if own == key] for key in ("t0_control", "t0_treatment")}


def _manifest_v1(name: str) -> dict[str, Any]:
    return {
        "created_utc": _TIME,
        "run_id": _RUN_IDS["v1"],
        "trial": _trial(name),
        "temps": [0.0],
        "samples_per_item": {"0.0": 1},
        "prompts": {
            "control": {"sha256": _sha256("control"), "tokens": 12},
            "treatment": {"sha256": _sha256(f"treatment of {name}"), "tokens": 554},
        },
        "datasets": _by_key(f"dryrun-{name}-"),
        "jobs": {},
        "job_status": {part: "completed" for _, part in _parts()},
    }


def _manifest_v2(name: str, *, answered: bool) -> dict[str, Any]:
    stages = {stage: _stage("pending", {}) for stage in _STAGES}
    head = {"schema_version": 2, "timestamps": {"created_at": _TIME, "updated_at": _TIME}}
    if not answered:
        empty: dict[str, Any] = {"run_id": None, "trial": {}, "temps": [], "samples_per_item": {}, "prompts": {}}
        return head | empty | {"jobs": {}, "job_status": {}, "stage_status": stages}
    files = {"parsed": "predictions.csv", "scored": "per_item_scores.csv", "stats": "significance.json"}
    stages |= {stage: _stage("completed", {file.replace(".", "_"): file}) for stage, file in files.items()}
    parts = [{"job_key": part, "path": f"{part}/results.jsonl", "size": 1} for _, part in _parts()]
    stages["downloaded"] = _stage("completed", {"parts": parts, "n_results": 48})
    stages["costs"] = _stage("completed", {"costs_json": "costs.json"})
    whole = _manifest_v1(name) | {"run_id": _RUN_IDS["v2"], "jobs": _by_key("sim/"), "stage_status": stages}
    del whole["created_utc"]
    return head | whole


def _stage(status: str, artifacts: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "updated_at": _TIME, "artifacts": artifacts}


def _state() -> dict[str, Any]:
    phases = ("prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report")
    record = {"started_at": _TIME, "updated_at": _TIME, "last_error": None}
    done = {phase: record | {"status": "not_started" if phase == "prepare" else "completed"} for phase in phases}
    return {
        "schema_version": 1,
        "run_id": _RUN_IDS["v2"],
        "config_hash": _sha256("configuration"),
        "phases": done,
        "last_checkpoint": None,
        "stop_requested": False,
    }


def _config(version: str) -> dict[str, Any]:
    prompts = {
        name: {"control": "config/prompts/control_system.txt", "treatment": f"config/prompts/{name}_system.md"}
        for name in _PROMPT_SETS
    }
    return {
        "model_id": _MODEL,
        "temps": [0.0],
        "samples_per_item": {"0.0": 1},
        "max_new_tokens": {"closed_book": 1024, "open_book": 1024},
        "top_p": 1.0,
        "top_k": 50,
        "stop": [],
        "paths": {"batch_inputs_dir": f"experiments/run_{_RUN_IDS[version]}/batch_inputs", "results_dir": "results"},
        "pricing": {"input_per_million": 0.15, "output_per_million": 0.6, "batch_discount": 0.5},
        "use_batch_api": True,
        "unsupported": {"strategy": "overlap", "threshold": 0.5, "min_token_overlap": 0.6, "nli_model": None},
        "stats": {
            "bootstrap_samples": 5000,
            "permutation_samples": 5000,
            "random_seed": 1337,
            "tost_alpha": 0.05,
            "tost_margins": {"em": 0.01, "f1": 0.01},
        },
        "models": None,
        "prompt_sets": prompts,
        "sweep": {"prompt_sets": list(_PROMPT_SETS), "temps": [0.0]},
        "trials": None,
    }


def _multi_trial_manifest(version: str) -> dict[str, Any]:
    folder = f"experiments/run_{_RUN_IDS[version]}/{SLUG}"
    trial = _trial(_PROMPT_SETS[0]) | {"id": None, "temps": [0.0]}
    row = {"trial": trial, "results_dir": f"{folder}/results", "report_path": f"{folder}/reports/report.md"}
    return {"created_utc": _TIME, "run_id": _RUN_IDS[version], "num_trials": 3, "trials": [row]}
