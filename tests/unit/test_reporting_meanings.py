"""Pages say in plain words what the built-in scorers ask; what they declare, which is stored, stays as it is."""

from __future__ import annotations

import pytest

from promptrial import registry
from promptrial.documents.scorers import Declaration
from promptrial.reporting.tables.meanings import asked
from promptrial.scoring.types.regex import Regex

ODD = ("accepted one", "refusal", "decline")
ABSTAINS = "If the question has no answer: does the model abstain?"


def declared() -> dict[str, str]:
    """Return what built-in scorers declare: those whose words no setting changes, and patterns in both forms."""
    patterns = {f"regex {whole}": Regex(from_gold=True, whole=whole).declared for whole in (False, True)}
    found = {name: registry.load("scorer", name).declared for name in registry.SCORERS}
    fixed = {name: each for name, each in found.items() if isinstance(each, Declaration)}
    return {name: each.meaning for name, each in (fixed | patterns).items()}


@pytest.mark.parametrize(("name", "meaning"), declared().items())
def test_every_built_in_scorer_is_shown_in_plain_words(name: str, meaning: str) -> None:
    said = asked(meaning)
    assert not [word for word in ODD if word in said], name
    assert (ABSTAINS in said) == ("refusal" in meaning)


def test_every_scorer_that_says_what_an_abstention_is_worth_is_covered() -> None:
    odd = {name for name, meaning in declared().items() if any(word in meaning for word in ODD)}
    assert {"exact_match", "includes", "starts_with", "numeric", "abstention", "token_f1", "regex True"} <= odd


def test_text_after_a_declared_meaning_is_kept() -> None:
    meaning = declared()["includes"]
    assert meaning.endswith(" Negations are not taken into account.")
    assert asked(f"{meaning} Asked of the last line.") == (
        f"Does the answer contain an accepted answer? {ABSTAINS} Negations are not taken into account. Asked of the "
        "last line."
    )


def test_the_declared_meaning_of_a_custom_scorer_is_unchanged() -> None:
    assert asked("Is it an accepted one? Is it a refusal?") == "Is it an accepted one? Is it a refusal?"
