"""The page that compares two runs: a form, and what ``promptrial compare`` says about the runs chosen in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from promptrial.care.status import find_run
from promptrial.care.view.pages import options
from promptrial.comparison.comparing import ArmChoice, ComparisonRequest, compare
from promptrial.comparison.gates import parse_gates
from promptrial.comparison.html import as_html
from promptrial.comparison.reading import scorers_of
from promptrial.errors import UsageError
from promptrial.model.arms import ArmName
from promptrial.reporting.page.markup import shown
from promptrial.reporting.tables.words import wording

__all__ = ["CompareQuery", "compare_form", "compared_html"]

_LONGEST: Final = 500
_ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class CompareQuery:
    """What to compare, as the address says it; the same as the arguments and flags of ``promptrial compare``.

    Parameters
    ----------
    a, b : str
        The runs; empty where none is chosen.
    gate : str
        Gates with ``;`` between them; empty for none.
    arms : str
        Names with commas between them; empty for the treatments that both have, ``both`` for all arms.
    trial_a, trial_b : str
        One trial of each run; empty to match trials by name.
    force : bool
    """

    a: str = ""
    b: str = ""
    gate: str = ""
    arms: str = ""
    trial_a: str = ""
    trial_b: str = ""
    force: bool = False

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Self:
        """Return what an address asks for."""
        names = ("a", "b", "gate", "arms", "trial_a", "trial_b")
        texts = {name: values.get(name, "").strip()[:_LONGEST] for name in names}
        return cls(**texts, force=bool(values.get("force")))

    def request(self, experiments: Path) -> ComparisonRequest:
        """Return the comparison that is meant.

        Raises
        ------
        UsageError
            If a run is not chosen or does not exist, or something else makes no sense.
        """
        if not self.a or not self.b:
            raise UsageError("choose two runs: A is the baseline, and B is compared with it")
        if bool(self.trial_a) != bool(self.trial_b):
            raise UsageError("trial A and trial B name one trial of each run: give both")
        return ComparisonRequest(
            a=find_run(experiments, self.a),
            b=find_run(experiments, self.b),
            trials=(self.trial_a, self.trial_b) if self.trial_a else None,
            arms=self._arms(),
            gates=tuple(parse_gates(self.gate)) if self.gate else (),
            alpha=_ALPHA,
            force=self.force,
        )

    def _arms(self) -> tuple[ArmName, ...] | ArmChoice:
        if self.arms == "both":
            return "all"
        return tuple(name for each in self.arms.split(",") if (name := each.strip())) or "treatments"


def compare_form(query: CompareQuery, runs: Sequence[str]) -> str:
    """Return the form that chooses what is compared."""
    sides = "".join(
        f'<label>{side.upper()} <select name="{side}">{options(["", *runs], chosen)}</select></label>'
        for side, chosen in (("a", query.a), ("b", query.b))
    )
    gate = f'<label>Gates <input name="gate" value="{shown(query.gate)}" placeholder="em &gt;= -0.01"></label>'
    more = "".join(
        f'<label>{label} <input name="{name}" value="{shown(value)}"></label>'
        for label, name, value in (
            ("Arms", "arms", query.arms),
            ("Trial A", "trial_a", query.trial_a),
            ("Trial B", "trial_b", query.trial_b),
        )
    )
    ticked = " checked" if query.force else ""
    force = f'<label><input type="checkbox" name="force" value="1"{ticked}> even if they differ (--force)</label>'
    return (
        f'<form method="get" action="/compare"><div class="form">{sides}{gate}<button type="submit">Compare</button>'
        f"</div>\n<details{' open' if query.force or query.arms or query.trial_a else ''}><summary>More</summary>"
        f'<div class="form">{more}{force}</div></details></form>\n'
    )


def compared_html(query: CompareQuery, experiments: Path) -> str:
    """Return what the comparison says.

    Raises
    ------
    UsageError
        If the runs may not be compared.
    PromptrialError
        If something of them is damaged.
    """
    request = query.request(experiments)
    comparison = compare(request)
    with wording(scorers_of(request.a) | scorers_of(request.b)):
        return as_html(comparison)
