"""The page of a run: what ``reporting.page`` needs of its items, read from scores and answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from promptrial.documents.scorers import with_role
from promptrial.model.arms import Contrast
from promptrial.phases.answer_rows import AnswerValues
from promptrial.phases.power_curves import power_curves
from promptrial.phases.side_by_side import OUTCOMES, Outcome, SideBySide
from promptrial.phases.spec import RunSpec
from promptrial.reporting.facts import TrialResult
from promptrial.reporting.page.content import Distribution, TrialPage
from promptrial.reporting.page.items import LARGEST_PAGE, PageAnswer, PageItem, PageScores, packed_items
from promptrial.reporting.plots.bars import Changed
from promptrial.reporting.plots.scores import histogram

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["MOST_ITEMS", "run_pages"]

MOST_ITEMS: Final = 20_000
"""Items of a trial on the page; ``promptrial view`` shows any number."""
_AT_ONCE: Final = 256
"""Items whose answers are held at once."""
_DIGITS: Final = 6
_CHANGED: Final[tuple[Outcome, ...]] = OUTCOMES[:2]
_PRINTED: Final = 25
"""Items that are printed of those that are fixed, and of those that are broken."""


def run_pages(spec: RunSpec, results: Sequence[TrialResult], *, texts: bool = True) -> list[TrialPage]:
    """Return what the page says about each trial, all together no larger than a page may be."""
    return [trial_page(spec, result, texts=texts, share=len(results)) for result in results]


def trial_page(spec: RunSpec, result: TrialResult, *, texts: bool = True, share: int = 1) -> TrialPage:
    """Return what the page says about a trial.

    Parameters
    ----------
    spec : RunSpec
    result : TrialResult
    texts : bool
        Without them, no question, passage, gold, answer or prompt is in it.
    share : int
        How many trials share the page, and so the bytes that it may have.
    """
    sides = SideBySide(spec.run, result.facts.trial, spec.config.stats.primary)
    changed = {str(each): _changed(sides, each) for each in sides.contrasts if sides.judge is not None}
    power = power_curves(result.significance) if result.facts.compares else ()
    page = TrialPage(result, changed, list(_distributions(sides)), power, n_items=len(sides))
    if not texts:
        return page
    codes = [sides.outcomes(each) for each in sides.contrasts]
    items = _items(sides, _chosen(codes, len(sides)), codes)
    packed = packed_items(_common(sides, result), items, largest=LARGEST_PAGE // share)
    return replace(page, printed=list(_items(sides, list(_printed(sides)), codes)), packed=packed)


def _distributions(sides: SideBySide) -> Iterator[Distribution]:
    """Yield the distribution of each continuous scorer: of the means of items, each at each temperature."""
    import numpy as np

    for name, scorer in sides.scorers.items():
        if scorer.scale == "continuous":
            found = sides.scores[name]
            shares = {
                arm: histogram(found[~np.isnan(found[:, at]), at].tolist(), *scorer.range)
                for at, arm in enumerate(sides.arms)
            }
            yield Distribution(name, scorer.range, shares)


def _chosen(codes: Sequence[npt.NDArray[np.int64]], n: int) -> list[int]:
    """Return the numbers of the units that the page holds, in order: all, or else those that changed first."""
    import numpy as np

    if n <= MOST_ITEMS:
        return list(range(n))
    changed = np.zeros(n, dtype=bool)
    for code in codes:
        changed |= code < len(_CHANGED)
    ranked = np.argsort(~changed, kind="stable")[:MOST_ITEMS]
    return [int(number) for number in np.sort(ranked)]


def _changed(sides: SideBySide, contrast: Contrast) -> Changed:
    return Changed.of(dict(sides.counts(contrast).items()), sides.judge or "", len(sides.trial.temps))


def _common(sides: SideBySide, result: TrialResult) -> PageScores:
    places = {arm: at for at, arm in enumerate(sides.arms)}
    pairs = [each.sides for each in sides.contrasts]
    return PageScores(
        arms=sides.arms,
        contrasts=tuple((places[first], places[second]) for first, second in pairs),
        labels={name: each.label for name, each in sides.scorers.items()},
        judge=sides.judge,
        abstention=with_role(sides.scorers, "abstention"),
        outcomes=OUTCOMES,
        temps=sides.trial.temps,
        files=result.facts.prompt_names,
        lower_is_better=sides.judge is not None and sides.scorers[sides.judge].direction == "lower",
    )


def _items(sides: SideBySide, numbers: Sequence[int], codes: Sequence[npt.NDArray[np.int64]]) -> Iterator[PageItem]:
    import numpy as np

    for at in range(0, len(numbers), _AT_ONCE):
        block = numbers[at : at + _AT_ONCE]
        names, columns = [*sides.scores], [_rounded(column[block]) for column in sides.scores.values()]
        outcomes = np.array([code[block] for code in codes], dtype=np.int64).reshape(len(codes), len(block)).T.tolist()
        found = zip(block, sides.items_of(block), outcomes, sides.answer_values_of(block), strict=True)
        for place, (number, item, outcome, answers) in enumerate(found):
            yield PageItem(
                number + 1,
                item,
                sides.unit(number).temp,
                tuple(outcome),
                {name: column[place] for name, column in zip(names, columns, strict=True)},
                [[_answer(each) for each in of_arm] for of_arm in answers],
            )


def _rounded(scores: npt.NDArray[np.float64]) -> list[list[float | None]]:
    """Return scores with few digits; None where there is none."""
    import numpy as np

    rounded = scores.round(_DIGITS)
    missing = np.isnan(rounded)
    found = rounded.astype(object)
    found[missing] = None
    values: list[list[float | None]] = found.tolist()
    return values


def _answer(values: AnswerValues) -> PageAnswer:
    *_, judgements = values
    return (*values[:-1], [(said.scorer, said.said, said.reason) for said in judgements] if judgements else ())


def _printed(sides: SideBySide) -> Iterator[int]:
    """Yield units that changed between the arms of the first contrast: some that are fixed, then some broken."""
    for contrast in sides.contrasts[:1]:
        for outcome in _CHANGED:
            yield from islice(sides.with_outcome(contrast, outcome), _PRINTED)
