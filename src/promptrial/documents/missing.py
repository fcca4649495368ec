"""What ``significance.json`` holds about missing answers: typed rows. Nothing is computed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from promptrial.documents.significance import Endpoint

__all__ = ["ArmAttrition", "AttritionTest", "MissingBounds", "MissingRule", "MissingSensitivity"]

MissingRule = Literal["exclude", "failure"]


class ArmAttrition(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one arm: expected, answered, and why the others were not.

    ``missing`` is expected less answered; ``unexplained`` is what the reasons leave of it (nothing came back at all).
    ``share_missing`` is null when nothing was expected. ``empty`` counts those of the missing whose response came back
    without an answer (cut off, filtered, spent on reasoning), ``truncated`` the answers that were cut off at the token
    limit; both are 0 in documents of versions that did not count them.
    """

    expected: int
    answered: int
    missing: int
    share_missing: float | None
    reasons: dict[str, int]
    unexplained: int
    empty: int = 0
    truncated: int = 0


class MissingBounds(msgspec.Struct, frozen=True, kw_only=True):
    """The effect if every missing score were as bad, or as good, for the treatment as it can be.

    Taken over all items to which the measure applies or may apply, in the arms to which they were assigned
    (intention to treat), and over all answers that were planned for them. A missing score is taken as one of the ends
    of the measure's range. ``n_missing_*`` counts items without any answer, ``n_answers_missing_*`` answers; the latter
    are null in documents of versions that did not count them.
    """

    n_items: int
    n_missing_control: int
    n_missing_treatment: int
    low: float | None
    high: float | None
    reason: str | None
    n_answers_missing_control: int | None = None
    n_answers_missing_treatment: int | None = None

    @property
    def answers_missing(self) -> tuple[int, int]:
        """The missing answers of each side; of an older document, the items without any answer."""
        counted = self.n_answers_missing_control, self.n_answers_missing_treatment
        return (
            self.n_missing_control if counted[0] is None else counted[0],
            self.n_missing_treatment if counted[1] is None else counted[1],
        )


class AttritionTest(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the arms lost different shares of the answers planned for an endpoint's items.

    With ``of_scores`` an answer without a score counts as lost too: a judge may give no verdict.

    ``difference`` is the share missing in the treatment minus that in the control. ``differs`` is ``p <= alpha``,
    without correction for the number of endpoints.
    """

    n_planned_control: int
    n_planned_treatment: int
    n_missing_control: int
    n_missing_treatment: int
    difference: float | None
    p: float | None
    p_method: str | None
    differs: bool | None
    reason: str | None
    of_scores: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def lost(self) -> str:
        """What is missing: answers, or scores of them."""
        return "scores" if self.of_scores else "answers"

    @property
    def missing_of_planned(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """How many answers each side lacks, and of how many."""
        return (
            (self.n_missing_control, self.n_planned_control),
            (self.n_missing_treatment, self.n_planned_treatment),
        )


class MissingSensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint's effect under the rule for missing answers that does not decide (``missing`` names it).

    ``p`` is the designated test's, not corrected.
    """

    missing: MissingRule
    n_pairs: int = 0
    control: float | None = None
    treatment: float | None = None
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    ci_method: str | None = None
    p: float | None = None
    p_method: str | None = None
    reason: str | None = None

    @property
    def means(self) -> tuple[float | None, float | None]:
        """The mean of each side."""
        return self.control, self.treatment

    @classmethod
    def of(cls, endpoint: Endpoint, missing: MissingRule) -> MissingSensitivity:
        """Return the effect of an endpoint that was described under another rule."""
        return cls(
            missing=missing,
            n_pairs=endpoint.n_pairs,
            control=endpoint.control.mean_paired,
            treatment=endpoint.treatment.mean_paired,
            difference=endpoint.difference,
            ci_low=endpoint.ci_low,
            ci_high=endpoint.ci_high,
            ci_method=endpoint.ci_method,
            p=endpoint.p,
            p_method=endpoint.p_method,
            reason=endpoint.reason,
        )
