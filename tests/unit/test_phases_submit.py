"""The check before a run submits: what cannot work ends the run, and what only did not work now does not."""

from __future__ import annotations

import pytest

from promptrial.errors import LoadingError, PermanentError, PromptrialError, TransientError
from promptrial.model import ModelSpec
from promptrial.phases import engines
from tests.support.fake_provider import FakeProvider
from tests.support.project import Project


def refuse(monkeypatch: pytest.MonkeyPatch, error: PromptrialError) -> None:
    def check(_provider: FakeProvider, _model: ModelSpec) -> None:
        raise error

    monkeypatch.setattr(FakeProvider, "check", check)


def test_a_check_with_a_transient_error_is_reported_and_the_run_continues(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, TransientError("could not ask for the newest job: HTTP 503"))
    outcome = project.run("--to_step", "submit")
    assert outcome.code == 0, outcome.err
    assert "could not ask for the newest job: HTTP 503" in outcome.err


def test_a_failed_check_ends_the_run_before_anything_is_submitted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, PermanentError("no such account", hint="check the account"))
    outcome = project.run("--to_step", "submit")
    assert outcome.code == 1
    assert "no such account" in outcome.err
    assert "next: check the account" in outcome.err


def test_a_server_that_loads_its_model_is_waited_for_and_reported_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, left = FakeProvider.fingerprint, [2]

    def fingerprint(provider: FakeProvider, model: ModelSpec) -> dict[str, str | int | float | bool]:
        if left[0]:
            left[0] -= 1
            raise LoadingError("could not ask whether it is ready: HTTP 503: Loading model")
        return known(provider, model)

    monkeypatch.setattr(FakeProvider, "fingerprint", fingerprint)
    monkeypatch.setattr(engines, "_BETWEEN_LOOKS_S", 0.01)
    outcome = project.run("--to_step", "submit")
    assert outcome.code == 0, outcome.err
    assert outcome.err.count("waiting until it has loaded its model") == 1


def test_a_server_that_never_finishes_loading_its_model_is_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprint(_provider: FakeProvider, _model: ModelSpec) -> None:
        raise LoadingError("could not ask whether it is ready: HTTP 503: Loading model")

    monkeypatch.setattr(FakeProvider, "fingerprint", fingerprint)
    monkeypatch.setattr(engines, "_BETWEEN_LOOKS_S", 0.01)
    project.write_config({"execution": {"outage_s": 0.1}})
    outcome = project.run("--to_step", "submit")
    assert outcome.code == 1
    assert "HTTP 503: Loading model" in outcome.err
