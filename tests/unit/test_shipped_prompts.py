"""The sample experiment's prompts: each variant is the part of the treatment that it claims to be, and no more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from promptrial.config.loading import load_config
from promptrial.model import ModelSpec
from promptrial.scoring.base import ScoringSettings
from promptrial.scoring.selftest import mandated_refusals
from promptrial.scoring.selftest import run as self_test

ROOT: Final = Path(__file__).parents[2]
PROMPTS: Final = ROOT / "config" / "prompts"
INSTRUCTIONS: Final = ROOT / "config" / "task_instructions"
SAMPLE: Final = ROOT / "data" / "sample"

VARIANTS: Final = (
    "operational_only",
    "structure_without_content",
    "philosophy_without_instructions",
    "length_matched_random",
    "length_matched_best_practices",
)
FILLERS: Final = ("length_matched_random", "length_matched_best_practices")
WITHOUT_MANDATE: Final = ("control", "structure_without_content", "philosophy_without_instructions", *FILLERS)
FILES: Final = tuple(sorted((*PROMPTS.iterdir(), *INSTRUCTIONS.iterdir())))

REFUSAL: Final = "I don't know."
MANDATE: Final = f'reply exactly "{REFUSAL}"'
EXAMPLE_QUESTION: Final = re.compile(r"^(?:Q|Question): (?!\{question\})(.+)$", re.MULTILINE)
EXAMPLE_ANSWER: Final = re.compile(r"^(?:A|Short answer): (.+)$", re.MULTILINE)
TABLE_ROW: Final = re.compile(r"^\| `([a-z_]+)\.txt` \| (\d+) \|", re.MULTILINE)
# What an accuracy prompt speaks of: its vocabulary in a filler would be a second dose of the treatment.
ON_ACCURACY: Final = re.compile(
    r"\b(?:know|knew|guess|accura|honest|tru[es]|truth|fact|certain|sure|doubt|verif|check|evidence|limit|admit|refus"
    r"|passage|confiden|uncertain|wrong|mistak|error|invent)",
    re.IGNORECASE,
)


def prompt(name: str) -> str:
    return (PROMPTS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def instruction(name: str) -> str:
    return (INSTRUCTIONS / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")


def sentences(text: str) -> list[str]:
    return re.split(r"""(?<=[.?!])\s+|(?<=[.?!]")\s+""", text)


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


def rules_and_steps(text: str) -> list[str]:
    return [
        match[1] for line in text.splitlines() if (match := re.fullmatch(r"(?:- |Step \d: )(.+)", line)) is not None
    ]


def paragraphs(text: str) -> list[str]:
    return [block for block in text.split("\n\n") if not re.match(r"#|- |Step \d", block)]


def outline(text: str) -> Iterator[str]:
    """The form of a prompt without its words: headings, bullets, step labels, and sentences per paragraph."""
    for line in text.splitlines():
        label = re.match(r"- |Step \d: ", line)
        yield line if line.startswith("#") else label[0] if label else f"{len(sentences(line))} sentences"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_prompt_file_is_clean_text_with_one_newline_at_its_end(path: Path) -> None:
    raw = path.read_bytes()
    text = raw.decode("utf-8")
    assert b"\r" not in raw
    assert b"\t" not in raw
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert text == text.lstrip()
    assert all(line == line.rstrip() for line in text.splitlines())


def test_the_sample_configuration_uses_every_prompt_file_and_no_other() -> None:
    experiment = load_config(ROOT / "config" / "eval_config.yaml", {}).experiment
    sets = {
        name: tuple(Path(arm.prompt.path).stem for arm in prompt_set.arms.values())
        for name, prompt_set in experiment.prompt_sets.items()
    }
    assert sets == {"default": ("control", "treatment"), **{name: ("control", name) for name in VARIANTS}}
    assert {path.stem for path in PROMPTS.iterdir()} == {"control", "treatment", *VARIANTS}
    assert {path.stem for path in INSTRUCTIONS.iterdir()} == {"open_book", "closed_book"}


def test_each_placeholder_occurs_once_and_nothing_else_is_in_braces() -> None:
    assert re.findall(r"\{[^{}]*\}", instruction("open_book")) == ["{context}", "{question}"]
    assert re.findall(r"\{[^{}]*\}", instruction("closed_book")) == ["{question}"]
    assert not any(brace in prompt(name) for name in ("control", "treatment", *VARIANTS) for brace in "{}")


@pytest.mark.parametrize(
    "text",
    [instruction("open_book"), instruction("closed_book"), prompt("treatment"), prompt("operational_only")],
    ids=["open_book", "closed_book", "treatment", "operational_only"],
)
def test_a_refusal_is_mandated_once_in_the_words_that_the_scorer_looks_for(text: str) -> None:
    assert text.count(MANDATE) == 1
    assert text.count('"') == 2
    assert mandated_refusals(text) == [REFUSAL]


@pytest.mark.parametrize("name", WITHOUT_MANDATE)
def test_the_other_prompts_neither_mandate_nor_quote_a_refusal(name: str) -> None:
    assert mandated_refusals(prompt(name)) == []
    assert not re.search(r"[\"“”]|don.?t know|do not know|unknown", prompt(name), re.IGNORECASE)


def test_the_scorer_recognises_the_mandated_refusal_in_every_typesetting() -> None:
    assert self_test([REFUSAL], ScoringSettings()) > 1000


def test_the_examples_in_the_task_instructions_are_not_questions_of_the_sample() -> None:
    closed = [json.loads(line) for line in (SAMPLE / "closed_book.jsonl").read_text(encoding="utf-8").splitlines()]
    articles = json.loads((SAMPLE / "open_book.json").read_text(encoding="utf-8"))["data"]
    asked = {row["question"] for row in closed} | {
        qa["question"] for article in articles for passage in article["paragraphs"] for qa in passage["qas"]
    }
    for name in ("open_book", "closed_book"):
        examples = EXAMPLE_QUESTION.findall(instruction(name))
        assert len(examples) >= 3
        assert asked.isdisjoint(examples)


@pytest.mark.parametrize("name", ["open_book", "closed_book"])
def test_the_examples_show_short_answers_and_one_refusal_in_the_mandated_words(name: str) -> None:
    answers = EXAMPLE_ANSWER.findall(instruction(name))
    assert len(answers) == len(EXAMPLE_QUESTION.findall(instruction(name)))
    assert answers.count(REFUSAL) == 1
    assert all(len(answer.split()) <= 3 for answer in answers)


def test_the_treatment_is_its_headings_its_rules_and_its_philosophy_and_nothing_else() -> None:
    text = prompt("treatment")
    parts = [*headings(text), *rules_and_steps(text), *paragraphs(text)]
    assert len(parts) == sum(1 for line in text.splitlines() if line)
    assert (len(headings(text)), len(rules_and_steps(text)), len(paragraphs(text))) == (5, 9, 2)


def test_the_operational_variant_is_the_treatments_rules_and_steps_word_for_word() -> None:
    assert sentences(prompt("operational_only")) == rules_and_steps(prompt("treatment"))
    assert len(prompt("operational_only").splitlines()) == 1


def test_the_structure_variant_has_the_treatments_outline() -> None:
    assert list(outline(prompt("structure_without_content"))) == list(outline(prompt("treatment")))


def test_the_structure_variant_shares_no_sentence_with_the_treatment() -> None:
    kept = prompt("structure_without_content")
    body = sentences("\n".join([*rules_and_steps(kept), *paragraphs(kept)]))
    treatment = prompt("treatment")
    assert len(body) == 16
    assert not [sentence for sentence in body if sentence in treatment]
    assert not [sentence for sentence in sentences(prompt("operational_only")) if sentence in kept]


def test_the_philosophy_variant_is_the_treatments_paragraphs_word_for_word() -> None:
    assert prompt("philosophy_without_instructions").split("\n\n") == paragraphs(prompt("treatment"))


def test_the_philosophy_variant_addresses_and_instructs_nobody() -> None:
    text = prompt("philosophy_without_instructions")
    assert not re.search(r"\b(?:you|your|must|should|shall|always|never|please|do not|don't)\b", text, re.IGNORECASE)
    commands = {sentence.split()[0] for sentence in sentences(prompt("operational_only"))}
    assert commands.isdisjoint(sentence.split()[0] for sentence in sentences(text))


@pytest.mark.parametrize("name", ["structure_without_content", *FILLERS])
def test_a_variant_without_the_content_mentions_neither_accuracy_nor_its_limits(name: str) -> None:
    assert ON_ACCURACY.findall(prompt("treatment"))
    assert ON_ACCURACY.findall(prompt(name)) == []


def documented_tokens() -> dict[str, int]:
    page = (ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")
    return {name: int(tokens) for name, tokens in TABLE_ROW.findall(page)}


def test_the_documentation_lists_every_prompt_once() -> None:
    page = (ROOT / "docs" / "prompts.md").read_text(encoding="utf-8")
    names = [name for name, _ in TABLE_ROW.findall(page)]
    assert sorted(names) == sorted(path.stem for path in FILES)


@pytest.fixture(scope="module")
def tokens() -> dict[str, int]:
    """The tokens of each prompt as it is sent, under the embedded model's tokenizer."""
    from promptrial.providers.embedded import EmbeddedProvider

    provider = EmbeddedProvider(engines=1)
    model = ModelSpec("smollm2-135m", "smollm2-135m-instruct", "embedded")
    try:
        return {
            path.stem: provider.count_tokens(model, path.read_text(encoding="utf-8").rstrip("\n")) for path in FILES
        }
    finally:
        provider.close()


@pytest.mark.engine
@pytest.mark.parametrize("name", FILLERS)
def test_a_filler_matches_the_treatment_in_tokens_within_two_percent(name: str, tokens: dict[str, int]) -> None:
    assert abs(tokens[name] - tokens["treatment"]) <= 0.02 * tokens["treatment"]


@pytest.mark.engine
def test_the_treatment_is_far_longer_than_the_control_and_fits_a_small_context(tokens: dict[str, int]) -> None:
    assert 12 <= tokens["control"] <= 25
    assert 300 <= tokens["treatment"] <= 380


@pytest.mark.engine
def test_the_documented_token_counts_are_those_of_the_files(tokens: dict[str, int]) -> None:
    assert documented_tokens() == tokens
