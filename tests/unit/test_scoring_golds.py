"""Accepted answers that read as refusals, or in scripts without spaces, are reported before anything is asked."""

from collections.abc import Sequence
from pathlib import Path

from promptrial import registry
from promptrial.model import Item
from promptrial.scoring.golds import GoldCheck
from promptrial.scoring.normalize import EvaluationRules, rules_for

QUESTIONS = """\
{"id": "1", "question": "Who owned the mill?", "answers": ["I don't know."]}
{"id": "2", "question": "What was its colour?", "answers": ["red", "unknown"]}
{"id": "3", "question": "Who ground the oats?", "answers": ["Bo"]}
"""


def warnings(
    path: Path, keep: Sequence[str], rules: EvaluationRules | None = None, extra: tuple[str, ...] = ()
) -> list[str]:
    check = GoldCheck(extra)
    items: list[Item] = list(registry.load("dataset format", "custom").read(path, "mine", check.notice))
    return list(check.warnings("mine", [item for item in items if item.id in keep], rules or rules_for("custom")))


def test_a_gold_that_reads_as_a_refusal_is_named_with_file_and_line_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(QUESTIONS)
    first, second = warnings(path, ["1", "2", "3"])
    assert first == (
        f"{path}:1: id '1': the accepted answer \"I don't know.\" reads as an abstention; if the question has no "
        "answer, set is_unanswerable and leave the answers empty"
    )
    assert second == (
        f"{path}:2: id '2': the accepted answer 'unknown' reads as an abstention; an answer that equals it counts as "
        "right"
    )


def test_only_items_that_were_drawn_are_named_and_configured_refusals_count(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(QUESTIONS)
    assert warnings(path, ["3"]) == []
    assert len(warnings(path, ["3"], extra=("bo",))) == 1


def test_only_the_first_refusal_like_gold_of_an_item_is_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "1", "question": "Who?", "answers": ["Bo", "unknown", "I don\'t know."]}\n')
    (found,) = warnings(path, ["1"])
    assert "the accepted answer 'unknown' reads as an abstention; an answer that equals it counts" in found


def test_after_three_named_golds_the_rest_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(f'{{"id": "{i}", "question": "Who?", "answers": ["unknown"]}}\n' for i in range(10)))
    found = warnings(path, [str(i) for i in range(10)])
    assert len(found) == 4
    assert found[-1] == "datasets.mine: 7 more accepted answers read as abstentions; `promptrial audit` lists them"


def test_the_share_of_golds_without_spaces_is_reported_with_how_token_f1_treats_them(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "1", "question": "谁?", "answers": ["王伟", "Wang Wei"]}\n', encoding="utf-8")
    (custom,) = warnings(path, ["1"])
    assert custom.startswith(
        "datasets.mine: 50% of the accepted answers are in a script without spaces; token F1 counts"
    )
    (official,) = warnings(path, ["1"], rules_for("custom", "squad_v2"))
    assert "The rules of squad_v2 treat such a text as one word" in official
    assert "`tokens: characters`" in official
