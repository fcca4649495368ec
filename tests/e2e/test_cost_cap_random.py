"""Random runs against the emulator, with faults, kills and rising caps: its ledger never exceeds the cap in force.

``make cap`` has more examples than the suite. Drawn are the vendor, the faults, where it is killed, and by how much the
cap rises. The program runs in this process, and a kill is an exception that nothing catches.
"""

from __future__ import annotations

import gc
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from promptrial.documents.cost_report import Price
from tests.support.billed import billed_usd
from tests.support.emulator_client import EmulatorClient
from tests.support.hosted_run import ACCOUNT, KEY, MODEL, QUICK, emulator_process
from tests.support.killed import Killed, killed_at
from tests.support.project import Outcome, Project

EXAMPLES: Final = int(os.environ.get("CAP_EXAMPLES", "4"))
pytestmark = [
    pytest.mark.timeout(60 + 20 * EXAMPLES),
]
PRICE: Final = Price(input_per_million=1.0, output_per_million=5.0, batch_discount=0.0)
ENDS: Final = ("--to_step", "parse")
VENDORS: Final[dict[str, dict[str, Any]]] = {
    "fireworks": {"account": ACCOUNT, "key": "FIREWORKS_API_KEY"},
    "anthropic": {"type": "anthropic", "mode": "live", "key": "ANTHROPIC_API_KEY", "max_in_flight": 3},
    "server": {"type": "openai_compatible", "key": "SERVER_KEY", "max_in_flight": 3},
}
CALLS: Final = {"fireworks": "create_job", "anthropic": "message", "server": "chat_completion"}
_JOB_FAULTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("F5", {}), ("F8", {"variant": "error", "delay_s": 1.0}), ("F2", {"status": 503}), ("F1", {"seconds": 0}),
    ("F10", {"variant": "expired", "share": 0.5, "output": True}), ("F10", {"variant": "failed", "share": 0.5}),
    ("F11", {"variant": "billed", "share": 0.5}), ("F11", {"variant": "length", "share": 0.5}),
    ("F12", {"variant": "missing_rows"}),
)  # fmt: skip
_LIVE_FAULTS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("F5", {}), ("F6", {"variant": "truncated"}), ("F2", {"status": 500}), ("F2", {"status": 529}), ("F3", {}),
    ("F11", {"variant": "length"}), ("F11", {"variant": "no_usage"}),
)  # fmt: skip


@dataclass(frozen=True)
class Session:
    """One process: by how much the cap has risen, a fault and which call meets it, and where it is killed, if it is."""

    rise: float
    fault: int
    nth: int
    killed: tuple[int, str] | None


_SESSIONS: Final = st.builds(
    Session,
    rise=st.sampled_from([1.0, 1.3, 2.0]),
    fault=st.integers(0, 62),
    nth=st.integers(1, 4),
    killed=st.none() | st.tuples(st.integers(0, 160), st.sampled_from(["before", "within", "after"])),
)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorClient]:
    with emulator_process(tmp_path_factory.mktemp("emulator")) as client:  # a kill here must not reach it
        yield client


def project(root: Path, vendor: str, url: str, items: int) -> Project:
    made = Project.make(root)
    rates = {"input_per_million": PRICE.input_per_million, "output_per_million": PRICE.output_per_million}
    made.write_config(
        {
            "provider": vendor,
            "providers": {vendor: VENDORS[vendor] | {"base_url": url + ("/v1" if vendor == "server" else "")}},
            "models": {"m1": {"id": MODEL if vendor == "fireworks" else "claude-haiku-4-5"}},
            "datasets": {"closed_set": {"format": "custom", "path": "closed.jsonl"}},
            "limit_items": items,
            "max_new_tokens": 8,
            "pricing": {vendor: {"models": {"m1": rates}}},
            "execution": QUICK | {"outage_s": 0.5},
        }
    )
    return made


def ran(project: Project, session: Session, *flags: str) -> Outcome | None:
    """Run the program; None if it was killed."""
    with pytest.MonkeyPatch.context() as patch, suppress(Killed):
        if session.killed is None:
            return project.run(*ENDS, *flags)
        with killed_at(patch, *session.killed):
            return project.run(*ENDS, *flags)
    with warnings.catch_warnings():  # nobody closes the connections of a process that was killed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    return None


@given(
    vendor=st.sampled_from(sorted(VENDORS)),
    items=st.integers(1, 4),
    share=st.floats(0.15, 1.0),
    sessions=st.lists(_SESSIONS, min_size=1, max_size=3),
)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
def test_the_ledger_of_the_emulator_never_exceeds_the_cap(
    emulator: EmulatorClient, vendor: str, items: int, share: float, sessions: list[Session]
) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("FIREWORKS_API_KEY", "ANTHROPIC_API_KEY", "SERVER_KEY"):
            patch.setenv(name, KEY)
        emulator.plain.delete(f"{emulator.url}/__emu/state").raise_for_status()
        made = project(Path(folder), vendor, emulator.url, items)
        cap = max(0.0009, share * items * 2 * 0.0008)
        faults = _JOB_FAULTS if vendor == "fireworks" else _LIVE_FAULTS
        for session in sessions:
            cap *= session.rise
            emulator.clear_faults()
            name, options = faults[session.fault % len(faults)]
            emulator.fault(name, CALLS[vendor], nth=session.nth, **options)
            resume = ("--resume",) if (made.run_root() / "run_state.json").exists() else ()
            outcome = ran(made, session, *resume, "--max_cost_usd", f"{cap:.9f}")
            billed = billed_usd(emulator.url, PRICE)
            assert billed <= cap, f"{billed} USD billed of {cap} USD, after {session}"
            assert outcome is None or outcome.code in {0, 1, 6}, outcome
        emulator.clear_faults()
        plain = Session(1.0, 0, 1, None)
        for _ in range(4):
            resume = ("--resume",) if (made.run_root() / "run_state.json").exists() else ()
            outcome = ran(made, plain, *resume, "--rebuy", "--max_cost_usd", "1")
            if outcome is not None and outcome.code == 0:
                break
        assert outcome is not None
        assert outcome.code == 0, outcome.err
