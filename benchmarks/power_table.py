"""Whether a trial finds a difference as often as a plan says: 1,000 simulated trials a cell, by the test that decides.

Prints a table of Markdown; the exit code is 1 if a share differs from the power that was said by more than three Monte
Carlo standard errors and the tolerance of the cell's method. ``docs/power.md`` shows the table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from environment import environment_line

from promptrial.stats.difference import clustered_difference_test
from promptrial.stats.planning import Design, power_at
from promptrial.stats.risk_difference import score_p_value

TRIALS: Final = 1_000
SEED: Final = 7
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """A design, the sizes of its clusters (none: single items), and the true difference.

    ``tolerance`` is what the approximation may be off by, beyond the noise of the simulation: nothing where the power
    is exact, 0.03 for Student's t in place of sign flips, and 0.07 where few clusters of 0/1 scores differ.
    """

    name: str
    design: Design
    sizes: tuple[int, ...]
    delta: float
    tolerance: float = 0.03

    @property
    def items(self) -> int:
        """How many items there are."""
        return sum(self.sizes)


def clustered(sizes: tuple[int, ...], **assumed: float) -> Design:
    """Return the design of clusters of these sizes."""
    n = sum(sizes)
    return Design(cluster_size=n / len(sizes), shared_by=sum(size**2 for size in sizes) / n, **assumed)  # type: ignore[arg-type]  # all are numbers


EVEN: Final = (4,) * 60
TENS: Final = (10,) * 20
UNEVEN: Final = (1,) * 40 + (3,) * 30 + (10,) * 8
SINGLE: Final = Design(discordance=0.2)
CELLS: Final = (
    Cell("0/1, single items", SINGLE, (1,) * 200, 0.09, 0.0),
    Cell("0/1, single items", SINGLE, (1,) * 1000, 0.04, 0.0),
    Cell("0/1, single items, level 0.0125", Design(discordance=0.1, alpha=0.0125), (1,) * 500, 0.05, 0.0),
    Cell("0/1, 60 passages of 4", clustered(EVEN, discordance=0.25, icc=0.1), EVEN, 0.1),
    Cell("0/1, 78 uneven passages", clustered(UNEVEN, discordance=0.25, icc=0.2), UNEVEN, 0.12),
    Cell("0/1, 8 passages of 10", clustered(TENS[:8], discordance=0.3), TENS[:8], 0.2, 0.07),
    Cell("0/1, 20 passages of 10, few differ", clustered(TENS[:20], discordance=0.1), TENS[:20], 0.07, 0.07),
    Cell("0/1, 60 passages of 4, few differ", clustered(EVEN, discordance=0.05), EVEN, 0.04, 0.07),
    Cell("scale, single items", Design(sd=0.4), (1,) * 150, 0.09),
    Cell("scale, 60 passages of 4", clustered(EVEN, sd=0.4, icc=0.2), EVEN, 0.09),
    Cell("scale, 78 uneven passages", clustered(UNEVEN, sd=0.4, icc=0.2), UNEVEN, 0.1),
    Cell("scale, 12 passages of 4", clustered((4,) * 12, sd=0.3, icc=0.2), (4,) * 12, 0.15),
    Cell("scale, 6 passages of 10", clustered(TENS[:6], sd=0.4, icc=0.1), TENS[:6], 0.3),
    Cell("scale, 7 passages of 10", clustered(TENS[:7], sd=0.4, icc=0.1), TENS[:7], 0.23),
    Cell("scale, 8 passages of 10, level 0.0125", clustered(TENS[:8], sd=0.4, icc=0.1, alpha=0.0125), TENS[:8], 0.33),
    Cell("3 answers, 60 passages of 4", clustered(EVEN, sd=0.4, icc=0.1, replicates=3, within=0.5), EVEN, 0.06),
)


def differences(cell: Cell, rng: np.random.Generator) -> FloatArray:
    """Draw the differences of one trial; those of a cluster have the intraclass correlation of the design.

    Of 0/1 scores, an item has the value of its cluster with probability ``sqrt(icc)`` and one of its own otherwise.
    """
    design, cluster = cell.design, np.repeat(np.arange(len(cell.sizes)), cell.sizes)
    if design.discordance is not None:
        gain, loss = (design.discordance + cell.delta) / 2, (design.discordance - cell.delta) / 2
        own = rng.choice([1.0, -1.0, 0.0], p=[gain, loss, 1 - gain - loss], size=cell.items)
        common = rng.choice([1.0, -1.0, 0.0], p=[gain, loss, 1 - gain - loss], size=len(cell.sizes))
        return np.where(rng.random(cell.items) < math.sqrt(design.icc), common[cluster], own)
    spread = math.sqrt(design.variance(cell.delta))
    common = rng.normal(size=len(cell.sizes))[cluster] * math.sqrt(design.icc)
    return cell.delta + spread * (common + rng.normal(size=cell.items) * math.sqrt(1 - design.icc))


def is_found(cell: Cell, d: FloatArray) -> bool:
    """Tell whether the test that decides finds a difference in the right direction."""
    if cell.design.is_exact:
        p = score_p_value(int((d > 0).sum()), int((d < 0).sum()))
    else:
        cluster = np.repeat(np.arange(len(cell.sizes)), cell.sizes)
        p = clustered_difference_test(d, cluster, binary=cell.design.discordance is not None).p
    return bool(p <= cell.design.alpha and d.mean() > 0)


def row(cell: Cell, found: Callable[[Cell, FloatArray], bool] = is_found) -> tuple[str, bool]:
    """Return the line of a cell, and whether it holds."""
    rng = np.random.default_rng(SEED)
    said = power_at(cell.design, cell.items, cell.delta)
    share = sum(found(cell, differences(cell, rng)) for _ in range(TRIALS)) / TRIALS
    holds = abs(share - said) <= 3 * math.sqrt(said * (1 - said) / TRIALS) + cell.tolerance
    values = (cell.name, f"{cell.items:,}", f"{100 * cell.delta:g}", f"{said:.1%}", f"{share:.1%}")
    return f"| {' | '.join(values)} |", holds


def main() -> int:
    """Print the table; 1 if a cell misses."""
    print(environment_line())
    print("\n| scores | items | difference, points | power said | found in 1,000 trials |\n|---|--:|--:|--:|--:|")
    missed = 0
    for cell in CELLS:
        line, holds = row(cell)
        missed += not holds
        print(line if holds else f"{line} MISSED", flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
