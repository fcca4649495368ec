"""Waves where answers cost money: the emulator's ledger shows each request of the waves asked once, and no other."""

from __future__ import annotations

import pytest

from promptrial.store.look_records import read_looks
from tests.support.hosted_fixtures import hosted, process
from tests.support.hosted_run import HostedProject, configuration

__all__ = ["hosted", "process"]

RULE = {"rule": "evalue", "looks": 3}


@pytest.mark.slow
def test_a_wave_is_paid_for_once_and_only_after_the_previous_look(hosted: HostedProject) -> None:
    hosted.project.write_config(configuration({"stopping": RULE | {"futility": 0.6}}))
    assert hosted.run("--to_step", "submit").code == 0
    first = hosted.rows_bought()
    assert first < 2 * 14
    outcome = hosted.run("--resume", "--to_step", "report")
    assert outcome.code == 0, outcome.err
    taken = read_looks(hosted.results())
    assert len(taken) > 1
    assert hosted.rows_bought() == 2 * taken[-1].items
    assert first == 2 * taken[0].items
    hosted.paid_once()
