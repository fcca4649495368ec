"""How long to wait before a call is made again, as a value. Nothing waits here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double, with jitter, so that many clients do not come back at the same moment.

    Parameters
    ----------
    first_s, longest_s : float
        The first wait and the longest, in seconds.
    longest_asked_s : float
        The longest wait that a vendor's own ``Retry-After`` may ask for.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    longest_asked_s: float = 300.0

    def delay_s(self, failures: int, key: str, asked_s: float | None = None) -> float:
        """Return the seconds to wait after so many failures (from 1): between half and the whole of the doubled wait.

        The jitter is drawn from ``key``, so that a run waits the same each time. A wait that the vendor asks for is
        kept to, up to the longest; one below our own is not.
        """
        whole = min(self.first_s * 2.0 ** (min(failures, 64) - 1), self.longest_s)
        share = int.from_bytes(hashlib.sha256(f"{key}|{failures}".encode()).digest()[:4], "big") / 2**32
        own = whole * (0.5 + 0.5 * share)
        asked = 0.0 if asked_s is None else min(max(asked_s, 0.0), self.longest_asked_s)
        return max(own, asked)
