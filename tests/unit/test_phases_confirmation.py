"""A paid run asks before it sends anything, once; what was agreed to is kept with the run."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from promptrial import registry
from promptrial.config import presets
from promptrial.runtime import asking
from tests.support import fake_provider
from tests.support.project import Project

DEAR = {"fake": {"models": {"m1": {"input_per_million": 1000.0, "output_per_million": 1000.0}}}}
END = ("--to_step", "parse")


class Person:
    """Somebody at the terminal."""

    def __init__(self, *answers: bool) -> None:
        self.answers, self.heard = list(answers), list[str]()

    def __call__(self, text: str, _give_up: Callable[[], bool]) -> bool:
        self.heard.append(text)
        return self.answers.pop(0)


pytestmark = pytest.mark.usefixtures("asks")


@pytest.fixture(autouse=True)
def _paid(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let money be asked for answers, of which all requests of the project may come to about 4 USD."""
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:PaidProvider")
    project.write_config({"pricing": DEAR})


def sit(monkeypatch: pytest.MonkeyPatch, *answers: bool) -> Person:
    person = Person(*answers)
    monkeypatch.setattr(asking, "terminal_question", lambda _quiet: person)
    return person


def asked() -> int:
    return fake_provider.CALLS.total()


@pytest.fixture
def _keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model be asked with a key."""
    monkeypatch.setitem(presets.PRESETS, "fake", presets.Preset("Fake", batch="fake", key="FAKE_API_KEY"))


def consents(project: Project) -> list[dict[str, Any]]:
    """Return the consents of the run, which state and trial agree on."""
    state = json.loads((project.run_root() / "run_state.json").read_text())
    manifest = json.loads((project.trial_folder() / "results/trial_manifest.json").read_text())
    assert manifest["origin"].get("consents", []) == state.get("consents", [])
    found: list[dict[str, Any]] = state.get("consents", [])
    return found


def changed(project: Project, **changes: Any) -> None:
    tree = yaml.safe_load(project.config.read_text()) | changes
    project.config.write_text(yaml.safe_dump({key: value for key, value in tree.items() if value is not None}))


def test_without_a_terminal_nothing_is_sent_and_two_commands_are_named(project: Project) -> None:
    outcome = project.run(*END)
    assert outcome.code == 2
    assert asked() == 0
    assert "nothing was sent: this run needs consent to spend, and there is no terminal to ask on" in outcome.err
    assert "28 requests: about " in outcome.err
    assert "promptrial run --run_id r --resume --yes" in outcome.err
    assert "promptrial run --run_id r --resume --max_cost_usd " in outcome.err
    assert project.run("--resume", "--yes", *END).code == 0
    assert asked() == 28
    assert [each["how"] for each in consents(project)] == ["flag"]


def test_a_no_at_the_terminal_sends_nothing_and_leaves_a_run_that_resumes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit(monkeypatch, False, True)
    refused = project.run(*END)
    assert (refused.code, asked(), consents(project)) == (2, 0, [])
    assert "more than 1 USD (spending.ask_above_usd)" in person.heard[0]
    assert project.run("--resume", *END).code == 0
    assert asked() == 28
    assert [each["how"] for each in consents(project)] == ["terminal"]
    assert 1 < consents(project)[0]["usd"] < 100


def test_a_resume_asks_again_only_when_the_run_may_come_to_more(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit(monkeypatch, True, True)
    assert project.run("--limit_items", "3", "--to_step", "build").code == 0
    assert person.heard == []
    assert project.run("--resume", *END).code == 0
    assert project.run("--resume", *END).code == 0
    assert len(person.heard) == 1
    assert project.run("--resume", "--limit_items", "6", *END).code == 0
    assert len(person.heard) == 2
    assert "already spent: at most " in person.heard[1]
    assert "it may cost more than the agreed " in person.heard[1]
    first, second = consents(project)
    assert second["usd"] > first["usd"]


def test_below_the_threshold_no_question_is_asked_and_that_is_recorded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit(monkeypatch)
    changed(project, spending={"ask_above_usd": 100})
    assert project.run(*END).code == 0
    assert person.heard == []
    assert [each["how"] for each in consents(project)] == ["threshold"]


@pytest.mark.usefixtures("_keyed")
def test_a_model_without_a_price_is_always_asked_about(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch, True)
    changed(project, pricing=None, spending={"ask_above_usd": 1000})
    assert project.run(*END).code == 0
    assert "there is no price for m1" in person.heard[0]
    assert "28 requests: at an unknown price" in person.heard[0]
    assert [(each["how"], each["unpriced"]) for each in consents(project)] == [("terminal", 28)]


@pytest.mark.usefixtures("_keyed")
def test_a_refusal_over_a_missing_price_names_no_cap(project: Project) -> None:
    changed(project, pricing=None)
    outcome = project.run(*END)
    assert outcome.code == 2
    assert "--max_cost_usd" not in outcome.err


def test_a_server_without_a_key_needs_no_consent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch)
    changed(project, pricing=None)
    assert project.run(*END).code == 0
    assert (person.heard, consents(project)) == ([], [])


def test_a_local_model_needs_no_consent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch)
    monkeypatch.setitem(registry.PROVIDERS, "fake", "tests.support.fake_provider:FakeProvider")
    assert project.run(*END).code == 0
    assert (person.heard, consents(project)) == ([], [])


def test_a_run_started_before_consent_existed_has_it_except_for_growth(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit(monkeypatch, True, False)
    assert project.run("--limit_items", "3", "--yes", "--to_step", "submit").code == 0
    forget_consents(project)
    changed(project, spending={"ask_above_usd": 0})
    assert project.run("--resume", *END).code == 0
    assert person.heard == []
    grown = project.run("--resume", "--limit_items", "6", *END)
    assert grown.code == 0
    assert len(person.heard) == 1


def forget_consents(project: Project) -> None:
    """Let the records of a run say what a version said that did not ask."""
    for path in (project.run_root() / "run_state.json", project.trial_folder() / "results/trial_manifest.json"):
        record = json.loads(path.read_text())
        record.pop("consents", None)
        record.get("origin", {}).pop("consents", None)
        path.write_text(json.dumps(record))


def test_a_forced_change_that_asks_again_needs_consent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch, False)
    assert project.run("--yes", *END).code == 0
    for name in ("control", "treatment"):
        (project.root / "config" / f"{name}.txt").write_text(f"Be a careful {name}. " * 20)
    before = asked()
    assert project.run("--resume", "--force", *END).code == 2
    assert asked() == before
    assert len(person.heard) == 1
    assert "28 requests" in person.heard[0]


def test_an_arm_shared_by_two_trials_is_counted_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch, True)
    assert project.run("--prompt_sets", "main,other", *END).code == 0
    assert "42 requests" in person.heard[0]
    assert asked() == 42


def test_a_script_that_must_stay_usable_unattended_never_asks(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from promptrial.cli.main import _ending

    person = sit(monkeypatch)
    assert _ending(["run", "--run_id", "r", *END], unattended=True).code == 0
    assert person.heard == []
    assert [each["how"] for each in consents(project)] == ["unattended"]


def test_the_question_does_not_count_answers_of_another_run(project: Project) -> None:
    limit = ("--limit_items", "6", *END)
    assert project.run("--yes", *limit, run_id="old").code == 0
    before = asked()
    assert project.run("--reuse", "old", *limit, run_id="same").code == 0
    (project.config.parent / "treatment.txt").write_text("Be brief.\n")
    outcome = project.run("--reuse", "old", *limit, run_id="edited")
    assert outcome.code == 2
    assert "12 requests: about " in outcome.err
    assert asked() == before
    assert project.run("--resume", "--yes", *limit, run_id="edited").code == 0
    assert asked() == before + 12


@pytest.mark.parametrize("name", ["run_all", "resume_run"])
def test_the_scripts_of_runbooks_run_unattended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from promptrial.cli import start

    called = list[object]()
    monkeypatch.setattr(start, "entry_point", lambda words, **options: called.append((words[1:], options)))
    monkeypatch.setattr("sys.argv", ["script", "--run_id", "r"])
    runpy.run_module(f"scripts.{name}", run_name="__main__")
    assert called == [(["--run_id", "r"], {"unattended": True})]


def test_a_cap_counts_as_consent(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch)
    assert project.run("--max_cost_usd", "50", *END).code == 0
    assert person.heard == []
    assert [(each["how"], each["usd"]) for each in consents(project)] == [("cap", 50.0)]


def test_a_dry_run_never_asks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch)
    assert project.run("--dry_run", *END).code == 0
    assert (person.heard, consents(project)) == ([], [])


def test_the_question_quotes_what_the_plan_quotes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    person = sit(monkeypatch, True)
    assert project.run("--to_step", "build").code == 0
    quoted = json.loads(project.call("plan", "--run_id", "r", "--json").out)["quote"]["usd"]
    assert project.run("--resume", *END).code == 0
    limits = f"about {quoted['expected']:.3g} USD ({quoted['low']:.3g} to {quoted['high']:.3g}), at most "
    assert limits in person.heard[0]
    assert "the price of m1 comes from the configuration" in person.heard[0]


def test_spending_on_removed_trials_counts_against_the_agreed_amount(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = sit(monkeypatch, True, False)
    assert project.run("--prompt_sets", "main", *END).code == 0
    before = asked()
    outcome = project.run("--prompt_sets", "other", "--resume", "--force", *END)
    assert outcome.code == 2
    assert asked() == before
    assert len(person.heard) == 2
    assert "it may cost more than the agreed " in person.heard[1]


@pytest.mark.usefixtures("_keyed")
def test_requests_without_a_price_of_trials_that_are_gone_count_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(project, pricing=None)
    person = sit(monkeypatch, True, False)
    assert project.run("--prompt_sets", "main", *END).code == 0
    assert project.run("--prompt_sets", "other", "--resume", "--force", *END).code == 2
    assert len(person.heard) == 2
