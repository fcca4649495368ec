"""Whether effects differ between data sets: from a run to ``significance.json`` and the report."""

from __future__ import annotations

import json

from tests.support.project import Project


def test_each_pair_of_data_sets_is_compared_or_says_why_not(project: Project) -> None:
    rows = [{"id": f"s{number}", "question": f"Second {number}?", "answers": ["Paris"]} for number in range(20)]
    (project.root / "config/second.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    datasets = {
        "open_set": {"format": "squad_v2", "path": "open.json"},
        "closed_set": {"format": "custom", "path": "closed.jsonl"},
        "second_set": {"format": "custom", "path": "second.jsonl"},
    }
    project.write_config({"datasets": datasets})
    outcome = project.run()
    assert outcome.code == 0, outcome.err
    document = json.loads((project.trial_folder() / "results/significance.json").read_text())
    found = {
        (row["subset"], row["other"]): row
        for row in document["interactions"]
        if (row["metric"], row["scope"]) == ("em", "dataset")
    }
    assert set(found) == {("closed_set", "open_set"), ("closed_set", "second_set"), ("open_set", "second_set")}
    tested = found["closed_set", "second_set"]
    effects = {row["subset"]: row["difference"] for row in document["endpoints"] if row["metric"] == "em"}
    assert abs(tested["difference"] - (effects["closed_set"] - effects["second_set"])) < 1e-12
    assert tested["p"] is not None
    assert tested["family"] == "interactions/dataset/em/0.0"
    assert found["closed_set", "open_set"]["reason"] == "open_set has 3 clusters; at level 0.05 it needs 6"
    report = project.details()
    assert "### Differences in effect between data sets" in report
    assert "### Differences in effect between item types" in report
    assert "Exact match, closed" in report.replace("\\", "")
    assert "open_set has 3 clusters; at level 0.05 it needs 6" in report.replace("\\", "")
