"""The arithmetic and the checks of an audit, with a tokenizer that counts words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from promptrial.design.audit import Counter, audit, estimated_tokens, refusals_in
from promptrial.documents.audit import AuditDocument
from promptrial.phases.settings import scoring_settings
from tests.support import configs

WORDS = Counter("words", lambda text: len(text.split()), exact=True)
PRICES = {"embedded": {"batch_discount": 0.5, "models": {"m1": {"input_per_million": 2.0, "output_per_million": 9.0}}}}


def audited(
    folder: Path,
    changes: dict[str, Any] | None = None,
    prompts: dict[str, str] | None = None,
    counter: Counter = WORDS,
    **options: Any,
) -> AuditDocument:
    config = configs.loaded(folder, changes, prompts=prompts).experiment
    return audit(config, dict.fromkeys(config.models, counter), scoring_settings(config), **options)


def sets(**files: tuple[str, str]) -> dict[str, Any]:
    return {"prompt_sets": {name: {"control": one, "treatment": two} for name, (one, two) in files.items()}}


def words(number: int) -> str:
    return " ".join(["word"] * number) + "\n"


def test_each_arm_is_counted_and_the_difference_is_priced_with_the_discount(tmp_path: Path) -> None:
    prompts = {"control.txt": words(10), "treatment.txt": words(110)}
    document = audited(tmp_path, {"pricing": PRICES}, prompts)
    (model,) = document.models
    (one,) = model.prompt_sets
    assert (one.arms["control"].tokens, one.arms["treatment"].tokens, one.more_tokens) == (10, 110, 100)
    assert one.usd_per_1000_items == pytest.approx(100 * 1000 * 2.0 / 1e6 / 2)
    assert (document.requests_per_item, document.passed, document.problems) == (1, True, ())
    assert msgspec.convert(msgspec.to_builtins(document), AuditDocument) == document


def test_an_item_that_is_asked_several_times_is_paid_each_time(tmp_path: Path) -> None:
    prompts = {"control.txt": words(10), "treatment.txt": words(110)}
    changes = {"pricing": PRICES, "temps": [0.0, 0.7], "samples_per_item": {"0.0": 1, "0.7": 4}}
    document = audited(tmp_path, changes, prompts)
    assert document.requests_per_item == 5
    assert document.models[0].prompt_sets[0].usd_per_1000_items == pytest.approx(0.5)


def test_a_shorter_treatment_saves_money_and_an_unpriced_model_has_no_price_difference(tmp_path: Path) -> None:
    prompts = {"control.txt": words(110), "treatment.txt": words(10)}
    assert audited(tmp_path, {"pricing": PRICES}, prompts).models[0].prompt_sets[0].usd_per_1000_items == -0.1
    (one,) = audited(tmp_path, None, prompts).models[0].prompt_sets
    assert (one.more_tokens, one.usd_per_1000_items) == (-100, None)


FILES = sets(default=("control.txt", "treatment.txt"), filler=("control.txt", "length_matched_x.txt"))


@pytest.mark.parametrize(("tokens", "passed"), [(98, True), (97, False), (102, True), (103, False)])
def test_a_filler_passes_within_two_percent_of_the_treatment(tmp_path: Path, tokens: int, passed: bool) -> None:
    prompts = {"treatment.txt": words(100), "length_matched_x.txt": words(tokens)}
    document = audited(tmp_path, FILES, prompts)
    (match,) = document.models[0].length_matches
    assert (match.filler, match.to, match.passed) == ("length_matched_x.txt", "treatment.txt", passed)
    assert match.ratio == pytest.approx(tokens / 100)
    assert document.passed is passed
    assert audited(tmp_path, FILES, prompts, tolerance=0.03).passed
    assert len(document.problems) == (not passed)


def test_a_filler_used_as_control_is_as_long_as_its_own_treatment(tmp_path: Path) -> None:
    prompts = {"length_matched_x.txt": words(7), "treatment.txt": words(9)}
    document = audited(tmp_path, sets(main=("length_matched_x.txt", "treatment.txt")), prompts)
    assert not document.passed
    assert "length_matched_x.txt has 7 tokens and treatment.txt 9 for m1 (words)" in document.problems[0]


def test_the_treatment_of_a_prompt_set_may_be_a_filler_by_the_name_of_the_set(tmp_path: Path) -> None:
    changes = sets(accuracy=("control.txt", "treatment.txt"), length_matched=("control.txt", "unused.txt"))
    prompts = {"treatment.txt": words(20), "unused.txt": words(20)}
    assert audited(tmp_path, changes, prompts, match_to="accuracy").passed
    document = audited(tmp_path, changes, prompts)
    assert document.models[0].length_matches[0].passed is None
    assert "--match_to" in document.problems[0]


def test_an_estimated_count_never_passes_however_close(tmp_path: Path) -> None:
    prompts = {"treatment.txt": words(20), "length_matched_x.txt": words(20)}
    estimate = Counter("an estimate", estimated_tokens, exact=False, estimate=True)
    document = audited(tmp_path, FILES, prompts, estimate)
    (match,) = document.models[0].length_matches
    assert (match.ratio, match.passed, document.passed) == (1.0, None, False)
    assert "only an estimate" in document.problems[0]


def test_a_prompt_without_a_recorded_text_has_no_tokens(tmp_path: Path) -> None:
    lost = {"path": "length_matched_old.txt", "sha256": "0" * 64, "lost": True}
    changes = {
        "prompt_sets": {
            "default": {"control": "control.txt", "treatment": "treatment.txt"},
            "old": {"control": "control.txt", "treatment": lost},
        }
    }
    document = audited(tmp_path, changes)
    old = document.models[0].prompt_sets[1]
    assert (old.arms["treatment"].tokens, old.more_tokens) == (None, None)
    assert "its text is not recorded" in document.problems[0]


def test_refusals_are_found_and_their_form_is_reported() -> None:
    text = 'Some mutter "I do not know."\nShort answer: Unknown\nWho knows?\nElse reply exactly "I don\'t know."'
    assert list(refusals_in(text)) == [
        ("I don't know.", "mandated"),
        ("I do not know.", "quoted"),
        ("Unknown", "line"),
    ]
    assert list(refusals_in('Never say "Unknown Pleasures".\n---\n')) == []
    assert list(refusals_in("A: pass", ("pass",))) == [("pass", "line")]


def test_a_mandated_refusal_that_the_scorer_takes_for_an_answer_fails(tmp_path: Path) -> None:
    prompts = {"treatment.txt": 'If you cannot tell, reply exactly "Declined by policy".\n'}
    document = audited(tmp_path, None, prompts)
    (refusal,) = document.refusals
    assert (refusal.file, refusal.text, refusal.recognised) == ("treatment.txt", "Declined by policy", False)
    assert not document.passed
    assert "scoring.extra_refusals" in document.problems[0]
    known = audited(tmp_path, {"scoring": {"extra_refusals": ["Declined by policy"]}}, prompts)
    assert known.passed
    assert known.refusals[0].recognised


def test_an_answer_that_counts_as_a_refusal_fails_too(tmp_path: Path) -> None:
    document = audited(tmp_path, {"scoring": {"extra_refusals": ["None"]}})
    assert not document.passed
    assert "takes the answer 'None' for an abstention" in document.problems[0]


def test_every_prompt_set_is_audited_for_every_model(tmp_path: Path) -> None:
    changes = FILES | {"models": {"m1": {"id": "a"}, "m2": {"id": "b"}}, "sweep": {"prompt_sets": ["default"]}}
    prompts = {"length_matched_x.txt": "Be accurate.\n"}
    config = configs.loaded(tmp_path, changes, prompts=prompts).experiment
    counters = {"m1": WORDS, "m2": replace(WORDS, name="characters", count=len)}
    document = audit(config, counters, scoring_settings(config))
    assert [model.tokenizer for model in document.models] == ["words", "characters"]
    assert [[each.prompt_set for each in model.prompt_sets] for model in document.models] == [["default", "filler"]] * 2
    assert document.models[1].prompt_sets[0].arms["control"].tokens == len("You are careful.")


def several(treatments: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"prompt_sets": {"main": {"control": "control.txt", "treatments": treatments}}} | others


def test_each_treatment_of_a_set_has_an_entry_beside_its_control(tmp_path: Path) -> None:
    prompts = {"control.txt": words(10), "treatment.txt": words(30), "unused.txt": words(5)}
    changes = several({"long": "treatment.txt", "short": "unused.txt", "inline": {"text": "one two"}})
    found = audited(tmp_path, changes, prompts).models[0].prompt_sets
    assert [(each.prompt_set, list(each.arms), each.more_tokens) for each in found] == [
        ("main", ["control", "long"], 20), ("main", ["control", "short"], -5), ("main", ["control", "inline"], -8),
    ]  # fmt: skip
    assert found[2].arms["inline"].file == "prompt_sets.main.treatments.inline"


def test_an_arm_with_its_own_model_is_counted_and_priced_by_that_model(tmp_path: Path) -> None:
    prices = {"m1": (2.0, 9.0), "m2": (10.0, 9.0)}
    models = {
        name: dict(zip(("input_per_million", "output_per_million"), both, strict=True)) for name, both in prices.items()
    }
    changes = several(
        {"big": {"prompt": "control.txt", "model": "m2"}},
        models={"m1": {"id": "a"}, "m2": {"id": "b"}},
        pricing={"embedded": {"models": models}},
    )
    config = configs.loaded(tmp_path, changes, prompts={"control.txt": words(10)}).experiment
    counters = {"m1": WORDS, "m2": replace(WORDS, count=lambda text: 2 * len(text.split()))}
    (one,) = audit(config, counters, scoring_settings(config)).models[0].prompt_sets
    assert (one.arms["control"].tokens, one.arms["big"].tokens) == (10, 20)
    assert one.usd_per_1000_items == pytest.approx((20 * 10.0 - 10 * 2.0) * 1000 / 1e6)


def test_refusals_are_searched_for_in_every_arm_and_in_its_own_templates(tmp_path: Path) -> None:
    own = {
        "open_book": {"text": '{context} {question} Else reply exactly "Declined by policy".'},
        "closed_book": "closed.txt",
    }
    arms = {
        "a": {"text": 'Else reply exactly "No comment at all".'},
        "b": {"prompt": "control.txt", "task_instructions": own},
    }
    document = audited(tmp_path, several(arms))
    assert [(refusal.file, refusal.text) for refusal in document.refusals] == [
        ("prompt_sets.main.treatments.a", "No comment at all"),
        ("prompt_sets.main.treatments.b.task_instructions.open_book", "Declined by policy"),
    ]
    assert not document.passed
