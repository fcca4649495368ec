"""Fuzzy match, ROUGE-L and BLEU: what an abstention counts as, settings, libraries that are missing or change."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptrial import registry
from promptrial.config.libraries import versions_of
from promptrial.config.loading import load_config
from promptrial.config.typed import SettingsError, typed
from promptrial.errors import ConfigError
from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_gold
from promptrial.scoring.contract import Response, Scorer
from promptrial.scoring.panel import score_answer
from promptrial.scoring.types.bleu import Bleu
from promptrial.scoring.types.fuzzy import Fuzzy
from promptrial.scoring.types.rouge_l import RougeL
from tests.support.project import Project

ANSWERABLE = Item(id="1", dataset="d", question="q", answers=("the harbour of Split", "Split"))
UNANSWERABLE = Item(id="2", dataset="d", question="q", answers=(), is_unanswerable=True)
NATIVE = Item(id="3", dataset="d", question="q", answers=("東京都",))
SCORERS: list[Scorer] = [Fuzzy(), RougeL(), Bleu()]


def scored(scorer: Scorer, item: Item, text: str, rules: str = "squad_v2") -> float:
    (score,) = score_answer(prepare_gold(item, rules, ScoringSettings()), Response(text), {"s": scorer})
    return score


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda each: type(each).__name__)
def test_an_abstention_counts_as_for_exact_match(scorer: Scorer) -> None:
    assert scored(scorer, UNANSWERABLE, "I don't know.") == 1
    assert scored(scorer, UNANSWERABLE, "Split") == 0
    assert scored(scorer, ANSWERABLE, "I don't know.") == 0
    assert scored(scorer, ANSWERABLE, "the harbour of Split") == 1, "also where rounding would go above 1"


@pytest.mark.parametrize("method", ["ratio", "token_sort", "token_set", "partial"])
@pytest.mark.parametrize(
    ("gold", "answer", "score"),
    [("+", "-", 0), ("+", "?", 0), ("∞", "!!", 0), ("+", "+", 1), ("∞", "∞", 1), ("+", "a", 0)],
)
def test_a_gold_without_letters_and_digits_is_compared_as_it_is_written(
    method: str, gold: str, answer: str, score: float
) -> None:
    assert scored(Fuzzy(method=method), Item(id="1", dataset="d", question="q", answers=(gold,)), answer) == score  # type: ignore[arg-type]


@pytest.mark.parametrize("scorer", SCORERS, ids=lambda each: type(each).__name__)
def test_a_text_without_a_word_scores_0_without_an_error(scorer: Scorer) -> None:
    for text in ("...", "?", "\u200b.", "🙂" * 10):
        assert scored(scorer, ANSWERABLE, text) == 0


def test_the_closest_accepted_answer_counts() -> None:
    assert scored(Fuzzy(), ANSWERABLE, "split") == 1
    assert scored(RougeL(), ANSWERABLE, "Split!") == 1


def test_rouge_l_has_no_score_if_only_another_tokenizer_knows_the_letters() -> None:
    assert str(scored(RougeL(), NATIVE, "東京")) == "nan"
    assert scored(RougeL(tokenizer="words"), NATIVE, "東京", "squad_v2") == 0, "one word under the official rules"
    item = Item(id="4", dataset="d", question="q", answers=("grüne Äpfel",))
    assert scored(RougeL(tokenizer="words"), item, "Äpfel") == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("kind", "settings", "problem"),
    [
        (RougeL, {"stemmer": True, "tokenizer": "words"}, "`stemmer` is for `tokenizer: rouge_score`"),
        (Bleu, {"max_order": 0}, "`max_order` must be from 1 to 8; given: 0"),
        (Bleu, {"smooth_value": 0.1}, "`smooth_value` is for `smooth: floor` and `smooth: add-k`"),
        (Bleu, {"smooth": "floor", "smooth_value": 0}, "`smooth_value` must be above 0"),
        (Bleu, {"tokenize": "flores200"}, "input should be '13a', 'intl', 'zh', 'char' or 'none'"),
        (Fuzzy, {"method": "soundex"}, "input should be 'ratio', 'token_sort', 'token_set' or 'partial'"),
    ],
)
def test_invalid_settings_are_refused(kind: type[Scorer], settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(SettingsError) as error:
        typed(kind, settings)
    assert error.value.problem.startswith(problem)


@pytest.mark.parametrize("name", ["fuzzy", "rouge_l", "bleu", "json_schema"])
def test_a_missing_library_is_one_line_with_the_command_before_anything_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    find = importlib.util.find_spec
    first = next(iter(registry.load("scorer", name).libraries))
    monkeypatch.setattr("promptrial.config.libraries.find_spec", lambda each: None if each == first else find(each))
    project.config.write_text(project.config.read_text() + f"scorers:\n  em:\n  {name}:\n")
    with pytest.raises(ConfigError) as error:
        load_config(project.config, {})
    (line,) = str(error.value).splitlines()
    assert f"scorers.{name}: it needs " in line
    assert "not installed: pip install 'promptrial[scorers]'" in line


def test_loading_a_configuration_imports_none_of_the_libraries(project: Project) -> None:
    """Their import takes seconds."""
    project.config.write_text(project.config.read_text().replace("provider: fake", "provider: fireworks"))
    text = project.config.read_text().replace("fake:", "fireworks:")
    project.config.write_text(text + "scorers:\n  fuzzy:\n  rouge_l:\n  bleu:\n")
    code = (
        "import sys; from pathlib import Path; from promptrial.config.loading import load_config\n"
        f"load_config(Path({str(project.config)!r}), {{}})\n"
        "print([name for name in ('rapidfuzz', 'rouge_score', 'sacrebleu', 'nltk') if name in sys.modules])"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "[]"


def test_recorded_versions_are_the_installed_ones() -> None:
    assert versions_of({"rapidfuzz": "rapidfuzz"}) == {"rapidfuzz": importlib.metadata.version("rapidfuzz")}
    assert versions_of({"nothing": "no-such-distribution"}) == {"no-such-distribution": "none"}


def test_a_changed_library_version_scores_again_without_asking(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_config({"scorers": {"em": None, "fuzzy": None}})
    assert project.run().code == 0
    record = json.loads((project.trial_folder() / "results/scorers.json").read_text())
    assert [scorer.get("libraries") for scorer in record["scorers"]] == [
        None,
        {"rapidfuzz": importlib.metadata.version("rapidfuzz")},
    ]
    assert project.run("--resume").code == 0
    assert "nothing was left to do" in log(project)
    version = importlib.metadata.version

    def newer(name: str) -> str:
        return "99.0" if name == "rapidfuzz" else version(name)

    monkeypatch.setattr("promptrial.config.libraries.metadata.version", newer)
    outcome = project.run("--resume")
    assert outcome.code == 0
    assert "score: running (scorer fuzzy changed)" in outcome.err
    assert "submit: running" not in outcome.err
    record = json.loads((project.trial_folder() / "results/scorers.json").read_text())
    assert record["scorers"][1]["libraries"] == {"rapidfuzz": "99.0"}


def log(project: Project) -> str:
    text: str = Path(project.run_root() / "run.log").read_text()
    return text
