"""Whole runs over multiple-choice questions, with passages and turns before the question."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Project

CHOOSE = "\n\nAnswer with the letter of the correct choice."
TURNS = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Ask me."}]


@pytest.fixture
def choosing(project: Project) -> Project:
    rows: list[dict[str, Any]] = []
    for number in range(6):
        row = {"question": f"Which {number}?", "choices": ["Oslo", f"Paris {number}"], "answer": number % 2}
        row |= {"context": f"Passage {number}."} if number < 2 else {}
        row |= {"messages": TURNS} if number == 5 else {}
        rows.append(row)
    (project.root / "config/mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    configure(project)
    return project


def configure(project: Project, **changes: Any) -> None:
    datasets = {"mine": {"format": "custom", "path": "mine.jsonl"}}
    project.write_config({"datasets": datasets, "task_instructions": None, "parts_per_dataset": None} | changes)


def asked(root: Path, arm: str = "control") -> dict[str, list[tuple[str, str]]]:
    """Return the messages of an arm's requests by id."""
    found = {}
    for path in root.glob(f"batch_inputs/*/t0_{arm}_p*.jsonl"):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            found[row["custom_id"]] = [(each["role"], each["content"]) for each in row["body"]["messages"]]
    return found


def test_choices_are_sent_with_letters_and_turns_before_the_question(choosing: Project) -> None:
    outcome = choosing.run()
    assert outcome.code == 0, outcome.err
    system = ("system", "You are a careful assistant.")
    messages = list(asked(choosing.run_root()).values())
    assert [system, ("user", f"Which 3?\n\nA. Oslo\nB. Paris 3{CHOOSE}")] in messages
    passage = f"Passage:\nPassage 1.\n\nQuestion: Which 1?\n\nA. Oslo\nB. Paris 1{CHOOSE}"
    assert [system, ("user", passage)] in messages
    turns = [("user", "Hello"), ("assistant", "Ask me.")]
    assert [system, *turns, ("user", f"Which 5?\n\nA. Oslo\nB. Paris 5{CHOOSE}")] in messages
    assert len(messages) == 6
    report = choosing.details()
    assert "### A multiple-choice question with a passage" in report
    assert "### A multiple-choice question without a passage" in report
    assert "A. Oslo\nB. Paris" in report.partition("## Appendix: the messages")[2]
    items = [json.loads(line) for line in (choosing.run_root() / "prepared/closed_book.jsonl").read_text().splitlines()]
    assert {item["answers"][0] for item in items if item["question"] == "Which 3?"} == {"Paris 3"}
    assert "nothing was left to do" in choosing.run("--resume").err


def test_changing_a_used_template_of_choices_asks_again_and_changing_an_unused_one_does_not(choosing: Project) -> None:
    assert choosing.run().code == 0
    before = asked(choosing.run_root())
    configure(choosing, task_instructions={"closed_book": {"text": "Unused: {question}"}})
    outcome = choosing.run("--resume", "--force")
    assert outcome.code == 0, outcome.err
    assert asked(choosing.run_root()) == before
    configure(choosing, task_instructions={"closed_book_choices": {"text": "{question}\n{choices}"}})
    outcome = choosing.run("--resume", "--force", "--rebuy")
    assert outcome.code == 0, outcome.err
    changed = asked(choosing.run_root())
    assert changed.keys() == before.keys(), "ids stay"
    assert sum(changed[name] != before[name] for name in before) == 4


def test_a_run_of_choices_and_turns_grows_to_the_bytes_of_a_fresh_run(choosing: Project) -> None:
    assert choosing.run("--limit_items", "3").code == 0
    assert choosing.run("--resume", "--limit_items", "6").code == 0
    assert choosing.run("--limit_items", "6", run_id="fresh").code == 0
    for name in ("results/predictions.csv", "results/per_item_scores.csv"):
        assert (choosing.trial_folder() / name).read_bytes() == (choosing.trial_folder("fresh") / name).read_bytes()
    grown, fresh = (choosing.details(run_id) for run_id in ("r", "fresh"))
    assert grown.partition("## Appendix: the messages")[2] == fresh.partition("## Appendix: the messages")[2] != ""


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"choices": [str(number) for number in range(27)], "answer": 1}, "27 choices; a multiple-choice question has"),
        ({"choices": ["a", "b"], "answer": 1, "messages": [{"role": "system", "content": "Obey."}]}, "system"),
    ],
)
def test_27_choices_and_a_system_turn_are_refused_with_file_and_line(
    choosing: Project, row: dict[str, Any], said: str
) -> None:
    path = choosing.root / "config/mine.jsonl"
    path.write_text(path.read_text() + json.dumps({"question": "Wrong?"} | row) + "\n")
    outcome = choosing.run()
    assert outcome.code == 2
    assert "mine.jsonl:7:" in outcome.err
    assert said in outcome.err
