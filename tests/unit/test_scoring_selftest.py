"""The self-test finds mandated refusals in prompts and fails where the scorer would misjudge one."""

# ruff: noqa: RUF001 - quote marks of every kind

import pytest

from promptrial.errors import SelfTestError
from promptrial.scoring.base import ScoringSettings
from promptrial.scoring.selftest import KNOWN_ANSWERS, mandated_refusals, run, variants

SETTINGS = ScoringSettings()


@pytest.mark.parametrize(
    ("prompt", "refusals"),
    [
        ('If you do not know the answer, reply exactly "I don\'t know."', ["I don't know."]),
        ("If you do not know reply exactly “I don’t know.” and stop.", ["I don’t know."]),
        ('Otherwise answer "unanswerable".', ["unanswerable"]),
        ('You must say only: "No answer"', ["No answer"]),
        ('Respond with the word "unknown", exactly "unknown".', ["unknown"]),
        ('REPLY EXACTLY "UNKNOWN"', ["UNKNOWN"]),
        ('Write “Unknown.” if the text is silent; reply with exactly "N/A" if it is empty.', ["Unknown.", "N/A"]),
        ('Never answer "As a model". Do not just say "maybe". Don\'t reply "hm".', []),
        ('The title "Unknown Pleasures" is quoted here.', []),
        ("Answer the question with as few words as possible.", []),
        ('Say exactly "" or "."', []),
    ],
)
def test_refusals_are_extracted_from_prompts(prompt: str, refusals: list[str]) -> None:
    assert mandated_refusals(prompt) == refusals


@pytest.mark.parametrize(
    "refusal",
    ["I don't know.", "I do not know", "Unanswerable", "unknown", "No answer.", "The passage does not say.", "N/A"],
)
def test_every_variant_of_a_common_refusal_passes(refusal: str) -> None:
    assert run([refusal], SETTINGS) > 500


def test_variants_cover_casing_apostrophes_wrappers_trailing_punctuation_and_margins() -> None:
    seen = set(variants("I don't know."))
    assert {
        "I DON’T KNOW",
        "i don`t know!",
        "I Don´T Know…",
        "“I don‘t know..”",
        "**I don't know.**",
        "`I don't know`.",
        "\nI don't know.\n",
        ' "I don\'t know"  ',
    } <= seen


def test_a_refusal_that_is_not_recognised_fails_and_is_named_with_what_to_do() -> None:
    with pytest.raises(SelfTestError, match=r"'Hors sujet\.'.*\n.*scoring\.extra_refusals"):
        run(["I don't know.", "Hors sujet."], SETTINGS)


def test_a_refusal_added_in_the_settings_passes_in_every_variant() -> None:
    assert run(["C'est l'impasse."], ScoringSettings(extra_refusals=("c’est l’impasse",))) > 500


def test_a_refusal_of_two_sentences_passes_when_added() -> None:
    assert run(["No. It isn't given!"], ScoringSettings(extra_refusals=("No. It isn't given!",))) > 500


def test_settings_that_make_an_answer_a_refusal_fail() -> None:
    with pytest.raises(SelfTestError, match="takes the answer 'Unknown Pleasures' for an abstention"):
        run([], ScoringSettings(extra_refusals=("unknown pleasures",)))


def test_without_a_mandate_the_known_answers_are_still_checked() -> None:
    assert run([], SETTINGS) == len(KNOWN_ANSWERS)
