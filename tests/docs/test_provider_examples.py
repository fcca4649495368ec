"""The example configurations of servers: each is found to have no problem, and names what it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml

from promptrial.config.loading import load_config
from promptrial.config.presets import PRESETS
from promptrial.design.trials import models_asked, trials_of
from promptrial.engine.checking import check_file

EXAMPLES: Final = sorted((Path(__file__).parents[2] / "config/examples").glob("*.yaml"))
VARIABLE: Final = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:KEY|ACCOUNT_ID)\b")
TRUSTED: Final = re.compile(r"(PROMPTRIAL_TRUSTED_HOSTS)=(\S+)")


def environment(path: Path) -> dict[str, str]:
    """Return a value for each variable that an example says it needs, and for no other."""
    text = path.read_text()
    return dict.fromkeys(VARIABLE.findall(text), "fake-key-for-a-check") | dict(TRUSTED.findall(text))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_problem_where_the_variables_are_set_that_it_names(path: Path) -> None:
    found = check_file(path, environment(path), {})
    assert found.problems == ()
    assert found.datasets
    assert bool(found.served) == (path.stem != "embedded")


@pytest.mark.parametrize("path", [each for each in EXAMPLES if environment(each)], ids=lambda path: path.stem)
def test_without_the_variables_the_first_missing_one_is_named(path: Path) -> None:
    problems = "\n".join(check_file(path, {}, {}).problems)
    assert [name for name in environment(path) if name in problems], problems


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_begins_with_what_it_is(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith("# ")


def test_every_preset_has_an_example() -> None:
    used = set()
    for path in EXAMPLES:
        config = load_config(path, environment(path)).experiment
        servers = config.providers
        for model in models_asked(trials_of(config)):
            entry = servers.get(model.provider)
            used.add(model.provider if entry is None else entry.type)
    assert used == PRESETS.keys()


def test_the_example_of_several_servers_has_four() -> None:
    tree = yaml.safe_load((EXAMPLES[0].parent / "several.yaml").read_text())
    assert len({text.partition("/")[0] for text in tree["models"].values()}) == 4
