"""Verdicts and reasons of judges are beside the answer that they judged, with the two orders of a pair separate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from promptrial.phases.answer_rows import Answer, AnswerRows
from promptrial.phases.judgement_rows import JUDGEMENT_COLUMNS, Judgement, JudgementRows, judgement_row
from promptrial.scoring.judge_messages import Verdict
from promptrial.store.tables import Column, TableWriter, codes_of
from tests.unit.test_phases_answer_rows import COLUMNS

ONE = judgement_row("quality", "d|a", ("control", "0.0", 1), 1.0, [Verdict(1, "It names | the city.")], flagged=False)
PAIR = judgement_row(
    "better", "d|a", ("treatment", "0.0", 0), 1.0, [Verdict("B", "B is | right."), Verdict("A")], flagged=True
)
TIE = judgement_row("better", "d|a", ("control", "0.0", 0), 0.5, [], flagged=False)
MUTE = judgement_row("quality", "d|a", ("control", "0.0", 0), 1.0, [Verdict(1)], flagged=False)
OTHER = judgement_row("old", "d|a", ("control", "0.0", 1), 1.0, [Verdict(1, "of a scorer that is gone")], flagged=False)
FOREIGN = judgement_row("quality", "d|z", ("control", "0.0", 0), 1.0, [Verdict(1, "of another trial")], flagged=False)
SECOND = judgement_row("better", "d|a", ("treatment", "0.0", 1), 0.0, [Verdict("A", "a"), Verdict("B", "b")],
                       flagged=False)  # fmt: skip


def cells_of(key: Any, _temp: Any, arm: Any) -> Any:
    import pyarrow as pa

    item, place = codes_of(key, pa.array(["d|a"])), codes_of(arm, pa.array(["control", "treatment"]))
    return np.where(item < 0, -1, item * 2 + place)


def judged(
    root: Path, rows: Sequence[Sequence[Any]], columns: tuple[Column, ...] = JUDGEMENT_COLUMNS
) -> list[list[Answer]]:
    """Return the answers of both arms to the only item, two of each, with what these rows say of them."""
    with TableWriter(root / "judgements", columns) as table:
        for row in rows:
            table.append(row[: len(columns)])
    with TableWriter(root / "predictions", COLUMNS) as table:
        for arm in ("control", "treatment"):
            for sample in (0, 1):
                table.append(("d", "a", arm, "0.0", sample, f"{arm} {sample}", None, "stop", 1, 2))
    said = JudgementRows(root / "judgements.parquet", ("quality", "better"), cells_of, 2, "control")
    return AnswerRows(root / "predictions.parquet", cells_of, 2, said).of(np.arange(2))


def test_each_reason_is_with_its_answer_and_the_orders_of_a_pair_are_separate(tmp_path: Path) -> None:
    control, treatment = judged(tmp_path, (FOREIGN, OTHER, ONE, MUTE, TIE, SECOND, PAIR))
    assert [each.text for each in (*control, *treatment)] == ["control 0", "control 1", "treatment 0", "treatment 1"]
    assert control[0].judgements == ()
    assert control[1].judgements == (Judgement("quality", (), "1", "It names | the city."),)
    assert treatment[0].judgements == (Judgement("better", ("control", "treatment"), "B", "B is | right."),)
    assert treatment[1].judgements == (
        Judgement("better", ("control", "treatment"), "A", "a"),
        Judgement("better", ("treatment", "control"), "B", "b"),
    )


def test_a_verdict_says_which_answer_was_a_and_which_was_b() -> None:
    assert Judgement("quality", (), "1", "x").said == "1"
    assert Judgement("better", ("control", "terse"), "B", "x").said == "B (A is control, B is terse)"


def test_a_table_of_an_earlier_version_has_both_reasons_as_one_text(tmp_path: Path) -> None:
    """There is no telling where the first one ends."""
    joined = ("better", "d|a", "treatment", "0.0", 0, 1.0, "B | A", "one | two | three", "no")
    _, treatment = judged(tmp_path, [joined], JUDGEMENT_COLUMNS[:9])
    assert treatment[0].judgements == (Judgement("better", (), "B | A", "one | two | three"),)


def test_answers_have_no_judgement_without_judges() -> None:
    assert Answer("Paris", None, None, None, None).judgements == ()
