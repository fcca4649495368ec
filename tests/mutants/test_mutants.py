"""Each deliberate bug still has its place in the source, once, and tests that are there; an argued one has its line."""

from pathlib import Path

import pytest

from tests.mutants.argued import ARGUED, Argued
from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.run_mutants import main

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_has_one_place_in_the_source_and_existing_tests(mutant: Mutant) -> None:
    source = (ROOT / "src/promptrial" / mutant.module).read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_no_two_mutants_have_the_same_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_a_filter_that_matches_no_mutant_runs_no_test(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("nothing is called this") == 1
    assert "no deliberate bug has 'nothing is called this' in its name" in capsys.readouterr().out


@pytest.mark.parametrize("argued", ARGUED, ids=lambda argued: f"{argued.module}: {argued.new}")
def test_an_argued_bug_changes_an_existing_line_and_has_a_reason(argued: Argued) -> None:
    lines = (ROOT / "src/promptrial" / argued.module).read_text(encoding="utf-8")
    assert argued.old in lines
    assert argued.old != argued.new
    assert argued.why


def test_no_bug_is_argued_twice() -> None:
    assert len({(each.module, each.old, each.new) for each in ARGUED}) == len(ARGUED)
