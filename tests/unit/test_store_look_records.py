"""``looks.jsonl``: what a look says reads back, and a line that no look can have written is damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrial.errors import CorruptRecordError
from promptrial.store.look_records import (
    LOOKS_FILE,
    EndpointRecord,
    LookRecord,
    append_look,
    is_over,
    read_looks,
    taken,
)

ENDPOINT: dict[str, Any] = {
    "contrast": "treatment vs control", "temp": 0.7, "estimate": 0.1, "low": -0.2, "high": 0.4, "p": 0.3,
    "level": 0.02, "n_pairs": 40, "n_clusters": 20,
}  # fmt: skip


def look(wave: int, decision: Any = "continue", **changes: Any) -> LookRecord:
    endpoint = EndpointRecord(**ENDPOINT | changes)
    return LookRecord(
        wave=wave, at="2026-01-01T00:00:00Z", rule="pocock", items=40 * wave, results={"a": "b" * 64},
        endpoints=(endpoint,), decision=decision,
    )  # fmt: skip


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_looks_read_back_as_they_were_taken(tmp_path: Path, share: float) -> None:
    looks = (look(1, p=share, level=share), look(2, "stop", estimate=None, reason="futility"))
    for each in looks:
        append_look(tmp_path, each)
    assert read_looks(tmp_path) == looks
    assert is_over(looks)
    assert not is_over(looks[:1])
    assert not is_over(())


@pytest.mark.parametrize(
    "changes",
    [{"p": -0.01}, {"p": 1.01}, {"level": -0.01}, {"level": 1.01}, {"n_pairs": -1}, {"n_clusters": -1},
     {"reason": "boredom"}],
)  # fmt: skip
def test_a_figure_that_no_look_can_have_is_damage_and_named_with_its_line(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    append_look(tmp_path, look(1))
    path = tmp_path / LOOKS_FILE
    second = json.loads(path.read_bytes()) | {"wave": 2, "endpoints": [ENDPOINT | changes]}
    path.write_bytes(path.read_bytes() + json.dumps(second).encode() + b"\n")
    with pytest.raises(CorruptRecordError, match=rf"{LOOKS_FILE}:2: damaged record of a look"):
        read_looks(tmp_path)


@pytest.mark.parametrize(
    "decisions",
    [["continue", "continue", "end"], ["stop", "ask_more", "continue"], ["continue", "unblind", "ask_more", "end"]],
)
def test_looks_and_decisions_of_people_that_may_follow_one_another_are_read(
    tmp_path: Path, decisions: list[str]
) -> None:
    wave, looks = 0, []
    for decision in decisions:
        wave += decision not in {"unblind", "ask_more"}
        looks.append(look(wave, decision))
        append_look(tmp_path, looks[-1])
    assert read_looks(tmp_path) == tuple(looks)
    assert len(taken(looks)) == wave


@pytest.mark.parametrize(
    "steps",
    [
        [(2, "continue")],
        [(1, "continue"), (1, "continue")],
        [(1, "continue"), (3, "continue")],
        [(1, "stop"), (2, "continue")],
        [(1, "end"), (1, "ask_more")],
        [(1, "continue"), (1, "ask_more")],
        [(1, "stop"), (1, "unblind")],
        [(1, "continue"), (2, "unblind")],
        [(1, "unblind")],
        [(1, "stop"), (2, "ask_more")],
    ],
)
def test_a_look_that_cannot_follow_the_line_before_is_damage(tmp_path: Path, steps: list[tuple[int, str]]) -> None:
    for wave, decision in steps:
        append_look(tmp_path, look(wave, decision))
    with pytest.raises(CorruptRecordError, match=rf"{LOOKS_FILE}:{len(steps)}: .*does not follow the line before"):
        read_looks(tmp_path)


def test_a_line_that_a_kill_has_torn_is_no_look_and_is_cut_off_by_the_next(tmp_path: Path) -> None:
    assert read_looks(tmp_path) == ()
    append_look(tmp_path, look(1))
    path = tmp_path / LOOKS_FILE
    path.write_bytes(path.read_bytes() + b'{"wave": 2')
    assert read_looks(tmp_path) == (look(1),)
    append_look(tmp_path, look(2, "end"))
    assert read_looks(tmp_path) == (look(1), look(2, "end"))
