"""The names of scorers: types, the columns of the default pack, and what other keys call them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from promptrial.config.scorers import ScorerConfig, name_problem, named_types
from promptrial.errors import ConfigError
from promptrial.scoring.types.regex import Regex
from tests.support.project import Project
from tests.unit.test_phases_settings import spec_of_project


def entries(scorers: dict[str, Any]) -> dict[str, ScorerConfig]:
    named = named_types(scorers)
    assert isinstance(named, dict)
    return {name: ScorerConfig.model_validate(entry) for name, entry in named.items()}


def problems(scorers: dict[str, Any]) -> list[str | None]:
    return [name_problem(name, entry) for name, entry in entries(scorers).items()]


def test_a_scorer_type_used_as_a_name_makes_a_column_of_that_name() -> None:
    made = entries({"exact_match": None, "token_f1": {}, "em": None})
    assert {name: (entry.type, entry.kind) for name, entry in made.items()} == {
        "exact_match": ("exact_match", "exact_match"),
        "token_f1": ("token_f1", "token_f1"),
        "em": ("em", "exact_match"),
    }
    assert problems({"exact_match": None, "em": None}) == [None, None]


def test_a_column_of_the_default_pack_is_recorded_by_its_own_name_however_its_type_is_written() -> None:
    for given in (None, {}, {"type": "em"}, {"type": "exact_match"}):
        (entry,) = entries({"em": given}).values()
        assert entry.model_dump() == {"type": "em"}
    (entry,) = entries({"strict": {"type": "unsupported_rate", "strategy": "exact"}}).values()
    assert (entry.kind, entry.model_dump()["type"]) == ("unsupported", "unsupported_rate")


@pytest.mark.parametrize(
    ("scorers", "problem"),
    [
        ({"em": {"type": "f1"}}, "'em' is the name of the type 'exact_match'; choose another name, or"),
        ({"exact_match": {"type": "f1"}}, "'exact_match' is the name of the type 'exact_match'; choose"),
        ({"em": {"type": "python", "file": "x.py"}}, "'em' is the name of the type 'exact_match'; choose"),
        ({"exact": None}, "unknown scorer 'exact'; did you mean 'exact_match'?; known: exact_match, token_f1"),
        ({"own": {"type": "exact"}}, "unknown scorer type 'exact'; did you mean 'exact_match'?; known: exact_match"),
    ],
)
def test_a_name_that_means_another_type_is_refused(scorers: dict[str, Any], problem: str) -> None:
    (found,) = problems(scorers)
    assert (found or "").startswith(problem)


def test_other_keys_can_refer_to_a_scorer_by_its_type(project: Project) -> None:
    project.write_config(
        {
            "scorers": {"strict": {"type": "exact_match"}, "token_f1": None},
            "stats": {"primary": ["em", "f1", "exact_match"], "tost_margins": {"f1": 0.05}},
            "costs": {"criterion": {"scorer": "em", "at_least": 1}},
        }
    )
    config = spec_of_project(project).config
    assert config.stats.primary == ("strict", "token_f1")
    assert config.stats.tost_margins == {"token_f1": 0.05}
    assert config.costs.criterion is not None
    assert config.costs.criterion.scorer == "strict"


def test_a_type_shared_by_several_scorers_is_not_a_reference(project: Project) -> None:
    scorers = {"one": {"type": "em"}, "two": {"type": "exact_match"}}
    for changes, key in (
        ({"stats": {"primary": ["em"]}}, "stats.primary.0"),
        ({"costs": {"criterion": {"scorer": "em", "at_least": 1}}}, "costs.criterion.scorer"),
    ):
        project.write_config({"scorers": scorers, **changes})
        with pytest.raises(Exception, match=rf"{key}: several scorers are of the type 'em'; .* one, two"):
            spec_of_project(project)


def test_a_scorer_whose_package_is_missing_is_refused_with_the_command_that_installs_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Regex, "libraries", {"no_such_module_re2": "google-re2"})
    project.write_config({"scorers": {"year": {"type": "regex", "pattern": "[0-9]{4}"}}})
    with pytest.raises(ConfigError) as caught:
        spec_of_project(project)
    assert re.search(r"yaml:\d+: scorers\.year: it needs google-re2, which is not installed: ", str(caught.value))
    assert "pip install 'promptrial[scorers]'" in str(caught.value)


def test_settings_that_are_wrong_are_named_with_their_line_before_anything_is_asked(project: Project) -> None:
    for entry, problem in (
        ({"type": "regex", "pattern": "("}, "scorers.own: .* missing"),
        ({"type": "regex"}, "scorers.own: give either"),
        ({"type": "numeric", "tolerance": "much"}, r"scorers\.own\.tolerance: input should be a valid number"),
        ({"type": "length", "unit": "lines"}, r"scorers\.own\.unit: input should be 'words', 'tokens' or 'characters'"),
    ):
        project.write_config({"scorers": {"own": entry}})
        with pytest.raises(ConfigError, match=rf"yaml:\d+: {problem}") as caught:
            spec_of_project(project)
        page = "scorers_right" if entry["type"] == "numeric" else "scorers_other"
        assert f"(docs/{page}.md#{entry['type']})" in str(caught.value)


def test_the_default_primary_endpoint_is_that_of_the_default_pack_or_the_first_listed_scorer(project: Project) -> None:
    for scorers, primary in (
        ({"f1": None, "em": None}, "em"),
        ({"f1": None, "strict": {"type": "em"}}, "f1"),
        ({"exact_match": None, "f1": None}, "exact_match"),
    ):
        project.write_config({"scorers": scorers})
        assert spec_of_project(project).config.stats.primary == (primary,)
