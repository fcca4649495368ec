"""The catalogue of messages lists what the code can say, and what a command prints is in it."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptrial.cli.main import main

ROOT = Path(__file__).parents[2]
TABLES: dict[str, Any] = runpy.run_path(str(ROOT / "docs/message_tables.py"))
messages: Callable[..., list[Any]] = TABLES["messages"]
pattern: Callable[[str], re.Pattern[str]] = TABLES["pattern"]


def test_every_package_that_has_messages_is_on_a_page() -> None:
    on_pages = {package for packages in TABLES["PAGES"].values() for package in packages}
    assert {each.package for each in messages()} == on_pages
    for page, packages in TABLES["PAGES"].items():
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert all(f"<!-- generated: messages {package} -->" in text for package in packages)


def test_the_catalogue_has_at_least_the_expected_number_of_messages() -> None:
    """The code has this many errors; if far fewer are found, the collector misses a way of making them."""
    assert len(messages()) > 600
    assert sum(each.exit_code is None for each in messages()) > 30


def test_every_message_says_what_to_do_and_has_a_documented_exit_code() -> None:
    documented = re.findall(r"^\| (\d+) \|", (ROOT / "docs/messages.md").read_text(encoding="utf-8"), re.MULTILINE)
    for each in messages():
        assert each.what_to_do, each
        assert each.exit_code is None or str(each.exit_code) in documented, each


def test_the_default_remedy_appears_only_where_there_is_a_cause_to_fix() -> None:
    usual = TABLES["WHAT_TO_DO"]
    done = {each.what_to_do for each in messages() if each.exit_code == 0}
    assert done == {usual["ReaderGoneError"]}
    of_data_sets = [each for each in messages() if each.package == "datasets"]
    hub = [each.text for each in of_data_sets if each.what_to_do == usual["PermanentError"]]
    assert hub == [], "no provider gives the cause of what is wrong with a data set"


def test_no_message_lacks_a_space_beside_a_value() -> None:
    stuck = [
        each.text for each in messages() if re.search(r"\}[a-z]{2,} |[a-z]{3,}\{(?!\w*\}[-_./'\w])\w+\} ", each.text)
    ]
    assert stuck == []


CODE = '''
from promptrial.errors import DataError, UsageError, SlowDownError

HINT = "see the page"

class OwnError(UsageError):
    """Wrong."""

def refused(place, what) -> DataError:
    return DataError(f"{place}: {what}", hint=HINT)

def check(path, events, n):
    events.warn(f"{path.name} is odd")
    what = "too large" if n > 1 else "too small"
    if n:
        raise OwnError(f"{path}: {what}")
    raise refused(path, f"has {n:,} rows") from None
'''


def test_messages_are_collected_from_constructors_helpers_and_warnings(tmp_path: Path) -> None:
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli/one.py").write_text(CODE, encoding="utf-8")
    found = {(each.text, each.exit_code, each.what_to_do) for each in messages(tmp_path)}
    usual = TABLES["WHAT_TO_DO"]
    assert found == {
        ("{path} is odd", None, usual["Warning"]),
        ("{path}: too large/too small", 2, usual["UsageError"]),
        ("{place}: has {n} rows", 2, "see the page"),
    }


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--config", "nosuch.yaml"),
        ("resume",),
        ("power", "--n", "100"),
        ("verify", "nosuch.tar.zst"),
        ("compare", "a", "b", "--junit", "x.xml"),
        ("run", "--run_id", "a/b"),
    ],
    ids=" ".join,
)
def test_an_error_that_a_command_prints_is_in_the_catalogue_with_its_exit_code(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main(words)
    said = capsys.readouterr().err
    text = said.partition("error: ")[2].partition("\n  next: ")[0].rstrip("\n")
    assert text, said
    matching = [each for each in messages() if each.exit_code == code and pattern(each.text).fullmatch(text)]
    own_words = [each for each in matching if len(re.sub(r"\{\w+\}", "", each.text)) > 8]
    assert own_words, said
