"""Deliberate bugs, each with the tests that must fail on it. ``make mutants`` runs these tests on each bug in turn.

A mutant whose text is no longer in the source, or is there twice, fails the suite: a change moved the code, so its
mutant has to move too. A mutant that no test notices is a missing test.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True)
class Mutant:
    """One bug: in ``module`` (below ``src/promptrial``), ``old`` becomes ``new``; one of ``tests`` must then fail."""

    name: str
    module: str
    old: str
    new: str
    tests: tuple[str, ...]


_PAGES: Final = ("tests/unit/test_reporting_arms.py",)

MUTANTS: Final = (
    Mutant(
        "arms are swapped in the aggregate table",
        "reporting/tables/aggregate.py",
        "rate(row.control.mean_paired, decimals),\n        rate(row.treatment.mean_paired, decimals),",
        "rate(row.treatment.mean_paired, decimals),\n        rate(row.control.mean_paired, decimals),",
        _PAGES,
    ),
    Mutant(
        "arms are swapped in the missing requests of the trials table",
        "reporting/tables/aggregate.py",
        'for name in ("control", "treatment")]',
        'for name in ("treatment", "control")]',
        _PAGES,
    ),
    Mutant(
        "arms are swapped in the worst-case bounds table",
        "reporting/tables/context.py",
        "    return control, treatment\n",
        "    return treatment, control\n",
        _PAGES,
    ),
    Mutant(
        "arms are swapped in the pairs table",
        "reporting/tables/context.py",
        "row.n_control_only,\n                        row.n_treatment_only,",
        "row.n_treatment_only,\n                        row.n_control_only,",
        _PAGES,
    ),
    Mutant(
        "cached tokens are free",
        "costs/amounts.py",
        "usd(usage.prompt_tokens, usage",
        "usd(usage.prompt_tokens - (usage.cached_tokens or 0), usage",
        ("tests/unit/test_costs.py",),
    ),
    Mutant(
        "right answers are not weighted by samples",
        "phases/costs.py",
        'pc.multiply(rows.column("em"), rows.column("n_samples"))',
        'rows.column("em")',
        ("tests/unit/test_phases_costs.py",),
    ),
    Mutant(
        "unknown usage counts error rows",
        "phases/costs.py",
        "pc.and_(silent, answered)",
        "silent",
        ("tests/unit/test_phases_costs.py",),
    ),
    Mutant(
        "an adjusted p at the level does not reject over all trials",
        "reporting/tables/aggregate.py",
        "adjusted <= result.significance.settings.alpha",
        "adjusted < result.significance.settings.alpha",
        _PAGES,
    ),
    Mutant(
        "an adjusted p at the level does not reject within a trial",
        "stats/families.py",
        "rejected=adjusted <= alpha)",
        "rejected=adjusted < alpha)",
        ("tests/unit/test_stats_families.py",),
    ),
    Mutant(
        "unanswerables are credited in selective accuracy",
        "stats/selective.py",
        "np.where(unanswerable[kept], 0.0, np.minimum(right.score[kept], answered))",
        "np.minimum(right.score[kept], answered)",
        ("tests/unit/test_stats_selective.py",),
    ),
    Mutant(
        "a shared arm is bought again when a filter leaves out the trial that has its answers",
        "jobs/queue.py",
        "any(twin.downloaded for twin in each.twins)",
        "any(twin.downloaded for twin in group)",
        ("tests/unit/test_queue.py",),
    ),
    Mutant(
        "a move does not flush the folder that a file left",
        "store/atomic.py",
        "    _fsync_folder(target.parent)\n    _fsync_folder(source.parent)\n",
        "    _fsync_folder(target.parent)\n",
        ("tests/unit/test_store_atomic.py",),
    ),
    Mutant(
        "a phase begins although a stop was asked for",
        "engine/loop.py",
        '            self.services.stop.check()\n            self._move(phase, "in_progress")',
        '            self._move(phase, "in_progress")',
        ("tests/unit/test_engine_loop.py",),
    ),
    Mutant(
        "a trial begins although a stop was asked for",
        "engine/loop.py",
        "        self.services.stop.check()\n        check_space",
        "        check_space",
        ("tests/unit/test_engine_loop.py",),
    ),
    Mutant(
        "digests of what a phase reads are reduced to paths",
        "engine/facts.py",
        "{path: file.sha256 for path, file in files.items()}",
        "{path: path for path, file in files.items()}",
        ("tests/unit/test_engine_facts.py",),
    ),
)
