"""The same scores are the same however a table holds them: long in any order, wide, or a file an arm."""

from __future__ import annotations

import csv
import json
import math
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.comparison.elsewhere.collecting import collect
from promptrial.comparison.elsewhere.rows import Columns, ReadingNotes
from promptrial.comparison.elsewhere.score_table import chosen_arms, score_table
from promptrial.comparison.elsewhere.sources import sources

SCORES = st.one_of(st.none(), st.floats(-1e6, 1e6), st.integers(0, 1), st.booleans())
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
ITEMS = st.dictionaries(NAMES, st.tuples(SCORES, SCORES), min_size=1, max_size=12).filter(
    lambda items: any(score is not None for pair in items.values() for score in pair)
)


def read(*paths: Path) -> dict[tuple[str, str], float | None]:
    notes = ReadingNotes()
    answers = collect(sources([*map(str, paths)], Columns(), None, notes), notes, "error")
    chosen = chosen_arms(answers.arms, (), "base")
    table = score_table(answers, chosen, {"score": "m"})[0]
    found = zip(table.arm.tolist(), table.item.tolist(), table.metrics["m"].tolist(), strict=True)
    return {
        (chosen.names[arm], table.item_keys[item]): None if math.isnan(score) else score for arm, item, score in found
    }


@given(items=ITEMS, seed=st.integers(0, 1000))
@settings(max_examples=40)
def test_a_table_means_the_same_in_every_layout(items: dict[str, tuple[float | None, float | None]], seed: int) -> None:
    rows = [
        (item, arm, score) for item, pair in items.items() for arm, score in zip(("base", "new"), pair, strict=True)
    ]
    expected = {(arm, item): None if score is None else float(score) for item, arm, score in rows}
    random.Random(seed).shuffle(rows)  # noqa: S311 - an order
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "long.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("item", "arm", "score"), *rows])
        lines = [json.dumps({"item": item, "arm": arm, "score": score}) for item, arm, score in rows]
        (folder / "long.jsonl").write_text("\n".join(lines), encoding="utf-8")
        wide = [json.dumps({"item": item, "base": {"score": a}, "new": {"score": b}}) for item, (a, b) in items.items()]
        (folder / "wide.jsonl").write_text("\n".join(wide), encoding="utf-8")
        for arm in ("base", "new"):
            of_arm = [json.dumps({"item": item, "score": score}) for item, each, score in rows if each == arm]
            (folder / f"{arm}.jsonl").write_text("\n".join(of_arm), encoding="utf-8")
        assert read(folder / "long.csv") == expected
        assert read(folder / "long.jsonl") == expected
        assert read(folder / "base.jsonl", folder / "new.jsonl") == expected
        if all(score is not None for pair in items.values() for score in pair):
            assert read(folder / "wide.jsonl") == expected
