"""How much one part may reserve under a cap, when requests are cut into parts: a tenth of it, or one item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from promptrial.costs.committed import rounded_up
from promptrial.errors import ConfigError
from promptrial.model import Item, Part, Trial
from promptrial.phases.spec import RunSpec
from promptrial.phases.work import reserve_of
from promptrial.store.part_records import FileRecord

__all__ = ["MoneyLimit", "TooDear"]


@dataclass(frozen=True, slots=True)
class MoneyLimit:
    """The limit of one arm's parts.

    Parameters
    ----------
    most_usd : float or None
        The most that a part of several items may reserve; None for any amount.
    cap_usd : float
        The most that one item may: the smaller cap of run and month.
    reserve_usd : callable
        Returns what so many requests of so many bytes can cost at most.
    """

    most_usd: float | None
    cap_usd: float
    reserve_usd: Callable[[int, int], float | None]
    is_of_month: bool = False

    @classmethod
    def of(cls, spec: RunSpec, trial: Trial, part: Part) -> MoneyLimit:
        """Return the limit of a part; none without a cap, and for a model that costs nothing."""
        model, caps = trial.arm(part.condition).model, spec.terms.caps
        known = [cap for cap in (caps.max_usd, caps.month_max_usd) if cap is not None]
        is_free = spec.prices.of(model) is None or not known
        return cls(None if is_free else caps.part_usd, min(known, default=0.0), reserve_of(spec, trial, model),
                   bool(known) and min(known) == caps.month_max_usd)  # fmt: skip

    def most_of(self, file: FileRecord) -> float:
        """Return what the requests of a file could cost at most; 0 without a limit."""
        return 0.0 if self.most_usd is None else self.reserve_usd(file.rows or 0, file.size) or 0.0

    def takes(self, file: FileRecord) -> bool:
        """Whether a request file is within the limit."""
        return self.most_usd is None or self.most_of(file) <= self.most_usd

    def shares(self, replicates: int, sizes: Sequence[int]) -> list[float]:
        """Return what each item may take of a part's limit, in USD; the whole of it, where it is larger by itself.

        Parameters
        ----------
        replicates : int
            How often each item is asked.
        sizes : sequence of int
            The bytes of each item's requests.
        """
        if self.most_usd is None:
            return [0.0] * len(sizes)
        return [min(self.reserve_usd(replicates, size) or 0.0, self.most_usd) for size in sizes]

    def too_dear(self, part: Part, file: FileRecord, items: Sequence[Item]) -> TooDear | None:
        """Return that a part does not fit into the cap by itself; None if it does."""
        usd = self.most_of(file)
        return TooDear(usd, part.rows, self.cap_usd, items[0], self.is_of_month) if usd > self.cap_usd else None


class TooDear(NamedTuple):
    """A part of one item that could cost more than the cap: so many USD, for so many requests."""

    usd: float
    rows: int
    cap_usd: float
    item: Item
    is_of_month: bool = False

    def refusal(self, resume_command: str, all_usd: float) -> ConfigError:
        """Return the refusal of a run with this most expensive part, whose parts could cost so much at most."""
        asked = "one request" if self.rows == 1 else f"the {self.rows} requests of one item"
        least, whole = rounded_up(self.usd), rounded_up(max(self.usd, all_usd))
        return ConfigError(
            f"{self.item.dataset}: {asked} could cost {self.usd:.4g} USD, which exceeds the cap of "
            f"{self.cap_usd:.10g} USD (item {self.item.id}); with a cap below {least:.10g} USD nothing is asked",
            hint=f"a cap of {whole:.10g} USD is enough for all items: {resume_command} --max_cost_usd {whole:.10g}"
            + (", with spending.month_max_usd at least as high" if self.is_of_month else ""),
        )
