"""A figure that is known only within limits: low, expected and high. Pure."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NOTHING", "Band"]


@dataclass(frozen=True, slots=True)
class Band:
    """What is expected, and the limits that it is expected to lie between.

    Parameters
    ----------
    low, expected, high : float
        In this order, none below 0. The unit is that of the figure: tokens, USD, seconds.

    Raises
    ------
    ValueError
        If they are in another order, negative, or not numbers.

    Examples
    --------
    >>> Band(1, 2, 4) + Band.exactly(10)
    Band(low=11, expected=12, high=14)
    """

    low: float
    expected: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.expected <= self.high:
            raise ValueError(f"low {self.low}, expected {self.expected}, high {self.high}: not in order from 0 on")

    @classmethod
    def exactly(cls, value: float) -> Band:
        """Return the band of a figure that is known."""
        return cls(value, value, value)

    @property
    def is_exact(self) -> bool:
        """Whether the figure is known."""
        return self.low == self.high

    def __add__(self, other: Band) -> Band:
        """Return the sum. Limits add up: what makes one figure larger, such as the tokenizer, may make all larger."""
        return Band(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def scaled(self, factor: float) -> Band:
        """Return the band times a factor of at least 0: a price, a number of requests."""
        return Band(self.low * factor, self.expected * factor, self.high * factor)

    def __contains__(self, value: float) -> bool:
        """Whether a figure lies within the limits, the limits included."""
        return self.low <= value <= self.high


NOTHING = Band(0, 0, 0)
"""What a sum of bands begins with."""
