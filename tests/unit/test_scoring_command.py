"""A command as a scorer, without a process: which lines it is given, and how its lines become scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from promptrial.config.typed import SettingsError, typed
from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.panel import Panel
from promptrial.scoring.types import command as commands
from promptrial.scoring.types.command import Command, ProgramScorer

ITEMS = [
    Item(id=f"i{n}", dataset="d", question=f"q{n}", answers=("a", "b"), context="p" * n if n else None)
    for n in range(7)
]


class Program:
    """Answers each line with a score, and keeps what it was given."""

    def __init__(self, *lines: bytes) -> None:
        self.lines = lines
        self.asked: list[list[dict[str, Any]]] = []

    def __call__(self, given: Iterable[bytes], count: int) -> bytes:
        lines = [*given]
        assert count == len(lines)
        assert all(line.endswith(b"\n") for line in lines)
        self.asked.append([json.loads(line) for line in lines])
        own = [json.dumps({"id": n, "score": n / 10}).encode() for n in range(1, count + 1)]
        return b"\n".join([*(self.lines or own), b""])


def scored(program: Program, items: Sequence[Item] = ITEMS, **settings: Any) -> list[float]:
    scorer = ProgramScorer("mine", typed(Command, {"command": ["./score", "fast"], **settings}), program)
    golds = [(prepare_gold(item, "squad_v2", ScoringSettings()), Response(f"to {item.id}", "stop")) for item in items]
    return [score for (score,) in Panel({"mine": scorer}).score_all(golds)]


def test_each_line_has_a_number_the_item_its_accepted_answers_and_the_text() -> None:
    program = Program()
    assert scored(program, ITEMS[:2]) == [0.1, 0.2]
    [[first, second]] = program.asked
    assert first == {
        "id": 1,
        "item": {
            "id": "i0", "dataset": "d", "question": "q0", "context": None, "choices": [], "messages": [],
            "is_unanswerable": False, "extra": {},
        },
        "golds": ["a", "b"],
        "response": {"text": "to i0"},
    }  # fmt: skip
    assert (second["id"], second["item"]["context"]) == (2, "p")


def test_a_program_that_needs_responses_is_told_how_they_ended() -> None:
    program = Program()
    scored(program, ITEMS[:1], needs=["response"])
    assert program.asked[0][0]["response"]["finish_reason"] == "stop"


@pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 7), (300, [2, 2, 2, 1]), (100_000, [7])])
def test_as_many_lines_at_a_time_as_memory_takes_and_each_batch_counts_from_one(
    monkeypatch: pytest.MonkeyPatch, most: int, sizes: list[int]
) -> None:
    monkeypatch.setattr(commands, "_MAX_BATCH_BYTES", most)
    program = Program()
    assert scored(program) == [n / 10 for size in sizes for n in range(1, size + 1)]
    assert [[line["id"] for line in batch] for batch in program.asked] == [[*range(1, size + 1)] for size in sizes]
    assert [line["item"]["id"] for batch in program.asked for line in batch] == [item.id for item in ITEMS]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            [b'{"id": 1, "score": 1}'],
            "the program wrote 1 of 2 lines; the first without one is item 'i1' of d",
        ),
        (
            [b'{"id": 1, "score": 1}', b"", b'{"id": 2, "score": true}', b'{"id": 3, "score": 0}'],
            (
                "the program wrote a line more than it was asked for, after that of item 'i1' of d: "
                '{"id": 3, "score": 0}'
            ),
        ),
        (
            [b'{"id": 2, "score": 1}', b'{"id": 1, "score": 1}'],
            (
                "line 1 of the program, for item 'i0' of d, has the id 2: lines must come in the order in which they "
                "were read"
            ),
        ),
        (
            [b'{"id": 1, "score": 1}', b"x" * 81],
            f'line 2 of the program, for item \'i1\' of d, is not {{"id": 2, "score": NUMBER}}: {"x" * 80}\u2026 (',
        ),
        ([b"y" * 80, b""], f"NUMBER}}: {'y' * 80} ("),
    ],
)
def test_a_wrong_line_is_named_with_its_item_and_what_to_do(lines: list[bytes], said: str) -> None:
    with pytest.raises(ScoreError) as error:
        scored(Program(*lines), ITEMS[:2])
    assert str(error.value.message).startswith("scorer mine: ")
    assert said in error.value.message
    assert error.value.hint == "correct the program, then resume the run"


def test_settings_say_what_is_run_and_for_how_long() -> None:
    assert typed(Command, {"command": ["./x"], "time_limit_s": 0.5}).time_limit_s == 0.5
    for command in ([], [""]):
        with pytest.raises(SettingsError, match="must name a program"):
            typed(Command, {"command": command})
    for seconds in (0, -1, 86_401):
        with pytest.raises(SettingsError, match="`time_limit_s` must be above 0 and at most 86,400 seconds"):
            typed(Command, {"command": ["./x"], "time_limit_s": seconds})


def test_its_meaning_names_the_program_and_its_label_the_scorer() -> None:
    declared = ProgramScorer("my_score", typed(Command, {"command": ["./score", "x" * 100]}), Program()).declared
    assert declared.label == "My score"
    assert declared.meaning == f"What does ./score {'x' * 72} say?"


def test_settings_alone_score_nothing() -> None:
    with pytest.raises(ScoreError, match=r"\./score is run by the phase \*score\* alone; 0 answers were given"):
        typed(Command, {"command": ["./score"]}).score_batch([])
