"""A complete run on real SQuAD 2.0 and NQ-open questions, its scores checked against an independent evaluation.

Slow: ``make test-slow``. It needs the question files beside the project and the embedded model.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from promptrial.scoring.refusals import is_abstention
from tests.reference.official_evaluation import scored_response
from tests.support.skips import SHARED

ROOT = Path(__file__).parents[2]
REAL = ROOT / ".." / "shared" / "data"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not REAL.exists(), reason=SHARED),
]
ITEMS = 63
"""Of each data set: with two arms and two temperatures, just over 500 answers."""
FORMATS = {"squad": "squad_v2", "nq": "nq_open"}


def write_config(folder: Path) -> Path:
    config = yaml.safe_load((ROOT / "config/eval_config.yaml").read_text())
    for prompts in config["prompt_sets"].values():
        for arm, path in prompts.items():
            prompts[arm] = str(ROOT / "config" / path)
    for name, path in config["task_instructions"].items():
        config["task_instructions"][name] = str(ROOT / "config" / path)
    files = {"squad": "squad_v2.dev.two_articles.json", "nq": "nq_open.dev.first1500.jsonl"}
    config["datasets"] = {
        name: {"format": FORMATS[name], "path": str(REAL / files[name]), "size": ITEMS} for name in files
    }
    config |= {"temps": [0.0, 0.7], "max_new_tokens": {"open_book": 12, "closed_book": 12}}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_em_and_f1_of_every_model_answer_equal_the_official_definition(tmp_path: Path) -> None:
    flags = ["--config", str(write_config(tmp_path)), "--experiments_dir", str(tmp_path), "--run_id", "shared"]
    outcome = subprocess.run(
        [sys.executable, "-m", "scripts.run_all", *flags], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 0, outcome.stderr
    (results,) = tmp_path.glob("run_shared/*/results")
    answers = {name: gold_answers(tmp_path / "run_shared/prepared", name) for name in FORMATS}
    expected: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    with (results / "predictions.csv").open(newline="") as file:
        predictions = list(csv.DictReader(file))
    for row in predictions:
        text = row["response_text"].removeprefix("'") if row["response_text"][:2] in GUARDED else row["response_text"]
        gold = answers[row["dataset"]][row["item_id"]]
        pair = scored_response(FORMATS[row["dataset"]], gold, text, abstained=is_abstention(text))
        key = (f"{row['dataset']}|{row['item_id']}", row["condition"], row["temp"])
        expected.setdefault(key, []).append(pair)
    assert len(predictions) == 2 * ITEMS * 2 * 2
    assert len(predictions) >= 500
    with (results / "per_item_scores.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(predictions)
    for row in table:
        scores = expected[row["item_key"], row["condition"], row["temp"]]
        for position, metric in enumerate(("em", "f1")):
            mean = sum(score[position] for score in scores) / len(scores)
            assert float(row[metric]) == pytest.approx(mean, abs=1e-15), (row["item_key"], metric)


GUARDED = {f"'{start}" for start in "=+-@"}


def gold_answers(prepared: Path, dataset: str) -> dict[str, list[str]]:
    import json

    rows = [json.loads(line) for path in prepared.glob("*_book.jsonl") for line in path.read_text().splitlines()]
    return {row["id"]: row["answers"] for row in rows if row["dataset"] == dataset}
