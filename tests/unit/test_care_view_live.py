"""A run as its page shows it live: what is shown of figures, and when files are looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from promptrial.care import status
from promptrial.care.following import Speed
from promptrial.care.log_tail import Said
from promptrial.care.view import watch
from promptrial.care.view.live import live_html
from promptrial.care.view.watch import MonthSpending, RunWatch, Seen
from promptrial.cli.panel_text import panel_lines
from promptrial.errors import CorruptRecordError
from promptrial.phases import accounts
from promptrial.reporting.cells import amount
from promptrial.runtime.clock import FakeClock
from promptrial.store.change_records import SpendingCaps
from promptrial.store.records import PhaseState
from promptrial.store.rundir import RunDir
from tests.support.page_reader import read_page
from tests.support.page_runs import small_project
from tests.support.project import Project

CAPS = SpendingCaps(max_usd=5.0, month_max_usd=10.0)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Runs of a provider that is paid, under caps: ``r`` is finished, ``s`` has answers and goes no further."""
    with small_project(tmp_path_factory.mktemp("paid")) as made, pytest.MonkeyPatch.context() as patch:
        patch.setitem(_providers(), "fake", "tests.support.fake_provider:PaidProvider")
        made.write_config({"spending": {"month_max_usd": 10.0}})
        assert made.run("--max_cost_usd", "5").code == 0
        assert made.run("--max_cost_usd", "5", "--to_step", "poll", run_id="s").code == 0
        yield made


def _providers() -> dict[str, str]:
    from promptrial import registry

    return registry.PROVIDERS  # type: ignore[return-value] # a test puts its own in


def looked(project: Project, run_id: str = "r") -> Seen:
    return RunWatch(RunDir(project.root / "experiments", run_id), FakeClock()).look()


def texts(seen: Seen, *, allow_stop: bool = False) -> str:
    """Return what a reader sees."""
    page = live_html(seen, allow_stop=allow_stop).replace("<", " <")
    return " ".join(read_page(page).root.text.split())


def spent(project: Project, run_id: str) -> float:
    return float(json.loads(project.call("costs", run_id, "--json").out)["total"]["spent"])


def test_spending_is_shown_against_the_caps_of_run_and_month(project: Project) -> None:
    seen = replace(looked(project), month=MonthSpending("2026-01", 0.00125))
    own = spent(project, "r")
    assert own > 0
    assert f"Spent {amount(own)} of at most 5.00 USD" in texts(seen)
    assert f"In 2026-01 {amount(0.00125)} of at most 10.00 USD, by all runs of this folder" in texts(seen)
    bars = {
        each.attributes["aria-label"]: each.attributes for each in read_page(live_html(seen)).root.every("progress")
    }
    assert float(bars["spent of the cap"]["value"]) == pytest.approx(own, rel=1e-4)
    assert bars["spent of the cap"]["max"] == "5"
    assert bars["spent of the cap of the month"]["max"] == "10"


def test_the_month_counts_every_run_of_the_folder(project: Project) -> None:
    run = RunDir(project.root / "experiments", "r")
    month = RunWatch(run, _Today()).look().month
    assert month is not None
    assert month.usd == pytest.approx(spent(project, "r") + spent(project, "s"))


class _Today(FakeClock):
    """The month in which the run was made."""

    def now(self) -> str:
        from promptrial.runtime.clock import SystemClock

        return SystemClock().now()


def test_an_uncountable_month_is_reported_and_the_rest_is_shown(project: Project) -> None:
    page = texts(replace(looked(project), month=MonthSpending("2026-01", None, "run x cannot be counted")))
    assert "In 2026-01 run x cannot be counted" in page
    assert "Phases" in page


def test_without_a_cap_no_cap_is_shown(project: Project) -> None:
    seen = looked(project)
    state = msgspec.structs.replace(seen.status.state, caps=msgspec.UNSET)
    look = replace(seen.look, status=replace(seen.status, state=state))
    page = texts(replace(seen, look=look, month=None))
    assert "Spent" in page
    assert "at most" not in page


def working(seen: Seen, word: str = "running") -> Seen:
    look = replace(seen.look, status=replace(seen.status, word=word))  # type: ignore[arg-type]
    return replace(seen, look=look)


def test_speed_and_time_left_are_those_of_a_run_at_work(project: Project) -> None:
    seen = replace(looked(project, "s"), speed=Speed(12.0, 345.0, 90.0))
    assert "Speed 12 requests/s, 345 tokens/s" in texts(working(seen))
    assert "Time left about 1.5 min" in texts(working(seen))
    assert "requests/s" not in texts(seen)
    assert "Time left" not in texts(seen)


def test_the_page_says_what_the_panel_says_in_the_same_words(project: Project) -> None:
    seen = replace(working(looked(project, "s")), speed=Speed(12.0, 345.0, 90.0))
    headline, *lines = panel_lines("s", seen.look, seen.speed, "", 80)
    spans = [*read_page(live_html(seen)).root.every("span")]
    told = {each.attributes["data-fact"]: each.text for each in spans if "data-fact" in each.attributes}
    assert [*told] == ["phase", "answers", "parts", "speed", "left", "spent"]
    assert all(line.endswith(text) for line, text in zip(lines, told.values(), strict=True))
    assert [headline] == [f"run s: {each.text}" for each in spans if each.attributes.get("class") == "lead"]


def test_jobs_in_flight_are_listed_up_to_a_maximum(project: Project) -> None:
    seen = looked(project, "s")
    line = msgspec.structs.replace(
        seen.ledger.lines[0], fate="in_flight", job="job-<1>", status="running", began="2026-01-31T09:30:00Z", rows=7
    )
    few = replace(seen, ledger=msgspec.structs.replace(seen.ledger, lines=(line,)))
    assert f"{line.part} running 7 job-<1> 2026-01-31 09:30:00" in texts(few)
    many = replace(seen, ledger=msgspec.structs.replace(seen.ledger, lines=(line,) * 25))
    assert texts(many).count("job-<1>") == 20
    assert "and 5 more" in texts(many)
    assert "Jobs in flight" not in texts(seen)


def test_the_amount_that_may_still_be_billed_is_named_and_fills_the_bar(project: Project) -> None:
    seen = looked(project, "s")
    (first, *_) = seen.ledger.lines
    line = msgspec.structs.replace(first, usd=msgspec.structs.replace(first.usd, spent=Decimal(1), held=Decimal(2)))
    total = msgspec.structs.replace(seen.ledger.total, spent=Decimal(1), held=Decimal(2))
    ledger = msgspec.structs.replace(seen.ledger, lines=(line,), total=total)
    found = replace(seen, ledger=ledger, look=replace(seen.look, spending=total))
    assert "Spent 1.00 of at most 5.00 USD, 2.00 may be billed yet" in texts(found)
    assert '<progress value="3" max="5" aria-label="spent of the cap">' in live_html(found)


@pytest.mark.parametrize(
    ("word", "stop", "resume"),
    [("running", True, False), ("stopping", False, False), ("stopped", False, True), ("finished", False, False)],
)
def test_a_running_run_can_be_stopped_and_otherwise_the_resume_command_is_shown(
    project: Project, word: str, stop: bool, resume: bool
) -> None:
    seen = working(looked(project, "s"), word)
    assert ("Stop after the current requests" in texts(seen, allow_stop=True)) == stop
    assert "Stop after" not in texts(seen)
    assert ("promptrial run --run_id s" in texts(seen)) == resume


def test_the_duration_of_a_phase_is_shown_once_it_is_completed(project: Project) -> None:
    seen = looked(project)
    at = {"started_at": "2026-01-31T09:30:00Z", "updated_at": "2026-01-31T09:31:05Z"}
    for phase, took in (
        (PhaseState("completed", **at), "65 s"),
        (PhaseState("in_progress", **at), ""),
        (PhaseState("completed", "soon", "later"), ""),
        (PhaseState("completed", "2026-01-31T09:30:00", at["updated_at"]), ""),
    ):
        seen.status.state.phases["poll"] = phase
        (row,) = (
            row
            for row in read_page(live_html(seen)).root.every("tr")
            if any("poll" in cell.text for cell in row.every("th"))
        )
        assert [cell.text for cell in row.every("td")][4] == took


def test_log_lines_are_shown_as_text(project: Project) -> None:
    seen = replace(looked(project), said=[Said("2026-01-31T09:30:00Z", "<script>\u202e\0 & " + "x" * 1_000_000)])
    page = live_html(seen)
    assert "<script>" not in page
    assert not {"\u202e", "\0"} & {*page}
    assert "09:30:00 &lt;script&gt;" in page


# --- looks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[RunDir]:
    """The looks at the status of runs."""
    found: list[RunDir] = []
    plain: Callable[..., object] = status.read_status

    def read(run: RunDir, clock: FakeClock) -> object:
        found.append(run)
        return plain(run, clock)

    monkeypatch.setattr(watch, "read_status", read)
    return found


def test_files_are_read_once_a_second_for_all_watchers(project: Project, counted: list[RunDir]) -> None:
    clock = FakeClock()
    watched = RunWatch(RunDir(project.root / "experiments", "r"), clock)
    for _ in range(10):
        watched.look()
    assert len(counted) == 1
    clock.advance(1.0)
    watched.look()
    assert len(counted) == 2


def test_a_slow_reading_is_followed_by_a_long_pause(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks, plain = FakeClock(), list[float](), accounts.read_ledger

    def slow(run: RunDir) -> object:
        looks.append(clock.monotonic())
        clock.advance(2.0)
        return plain(run)

    monkeypatch.setattr(watch, "read_ledger", slow)
    watched = RunWatch(RunDir(project.root / "experiments", "r"), clock)
    for _ in range(50):
        watched.look()
        clock.advance(1.0)
    assert looks == [0.0, 40.0]


def test_an_unreadable_file_is_reported_to_all_watchers_and_read_again_later(project: Project, tmp_path: Path) -> None:
    run, clock = RunDir(tmp_path, "r"), FakeClock()
    run.root.mkdir()
    run.state_path.write_text("{")
    watched = RunWatch(run, clock)
    for _ in range(2):
        with pytest.raises(CorruptRecordError):
            watched.look()
    run.state_path.write_bytes((project.run_root() / "run_state.json").read_bytes())
    clock.advance(1.0)
    assert watched.look().status.word == "finished"
