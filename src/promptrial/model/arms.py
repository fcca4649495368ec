"""The arms of a trial by name: which names are allowed, their codes on the wire, and which pairs are compared."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = [
    "ARM_PATTERN",
    "CONTROL",
    "DEFAULT_CONTRAST",
    "HASHED_CODE",
    "PAIR",
    "SECOND_ASK",
    "TREATMENT",
    "ArmName",
    "Contrast",
    "arm_code",
    "arm_of",
    "arms_by_code",
    "compared_arms",
    "contrasts_of",
    "control_first",
    "is_judge",
    "judge_name",
]

ArmName = str
"""The name of an arm; matches ``ARM_PATTERN``."""
ARM_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
CONTROL: Final = "control"
TREATMENT: Final = "treatment"
"""The name of the arm that a prompt set gives under the key ``treatment``."""
SECOND_ASK: Final = "control_again"
"""The arm of an A/A run that asks everything that control asks once more."""
PAIR: Final = (CONTROL, TREATMENT)
"""The arms of a prompt set that gives a single treatment under that key."""
_CODES: Final = {CONTROL: "c", TREATMENT: "t"}
_HASHED: Final = 4
HASHED_CODE: Final = re.compile(rf"x[a-z2-7]{{{_HASHED}}}")
"""What the code of an arm looks like that is neither control nor the arm under ``treatment``."""


_JUDGE: Final = "judge-"
"""A beginning that no name of an arm has, because none has a hyphen."""


def judge_name(scorer: str, digest: str) -> ArmName:
    """Return what stands for a judge where parts and records name an arm: the scorer, and what it is asked with.

    Examples
    --------
    >>> judge_name("quality", "6f1c88a2e0"), is_judge("judge-quality-6f1c88"), is_judge("control")
    ('judge-quality-6f1c88', True, False)
    """
    return f"{_JUDGE}{scorer}-{digest[:6]}"


def is_judge(name: str) -> bool:
    """Whether a name, where parts and records name an arm, stands for a judge."""
    return name.startswith(_JUDGE)


class Contrast(NamedTuple):
    """Two arms of a trial that are compared; effects are the first minus the second."""

    treatment: ArmName
    control: ArmName = CONTROL

    @property
    def sides(self) -> tuple[ArmName, ArmName]:
        """Both arms in the order of every table, pair of columns and two-sided row: control first."""
        return self.control, self.treatment

    def __str__(self) -> str:
        return f"{self.treatment} vs {self.control}"


DEFAULT_CONTRAST: Final = Contrast(TREATMENT)
"""The only contrast of a prompt set that gives a single treatment under that key. Results do not name it."""


def contrasts_of(names: Sequence[ArmName]) -> tuple[Contrast, ...]:
    """Return each treatment against control, in the order of the names; none where control is not among them.

    Examples
    --------
    >>> contrasts_of(("control", "short", "long"))
    (Contrast(treatment='short', control='control'), Contrast(treatment='long', control='control'))
    """
    return tuple(Contrast(name) for name in names if name != CONTROL) if CONTROL in names else ()


def control_first(names: Iterable[ArmName]) -> tuple[ArmName, ...]:
    """Return the names, control before the others, which keep their order."""
    return tuple(sorted(names, key=lambda name: name != CONTROL))


def compared_arms(names: Sequence[ArmName]) -> tuple[ArmName, ...]:
    """Return the arms that results speak of: those of a trial, and where no two can be compared, the lacking partner.

    Examples
    --------
    >>> compared_arms(("control", "short")), compared_arms(("control",)), compared_arms(("short", "long"))
    (('control', 'short'), ('control', 'treatment'), ('control', 'short', 'long'))
    """
    return CONTROL, *([name for name in names if name != CONTROL] or [TREATMENT])


@lru_cache(maxsize=256)
def arm_code(name: ArmName) -> str:
    """Return what stands for an arm in ids on the wire. It depends on the name alone.

    ``c`` for control, ``t`` for the arm under ``treatment``; any other is ``x`` and the first four base32 characters,
    in lower case, of the name's SHA-256.
    """
    known = _CODES.get(name)
    if known is not None:
        return known
    digest = hashlib.sha256(name.encode()).digest()
    return "x" + base64.b32encode(digest).decode()[:_HASHED].lower()


def arms_by_code(names: Iterable[ArmName]) -> Mapping[str, ArmName]:
    """Return ``code -> name``.

    Raises
    ------
    ValueError
        If two names have one code.
    """
    found: dict[str, ArmName] = {}
    for name in names:
        other = found.setdefault(arm_code(name), name)
        if other != name:
            raise ValueError(f"the arms {other!r} and {name!r} have the same code in request ids: rename one of them")
    return found


def arm_of(resume_key: str) -> ArmName:
    """Return the arm of a resume key: of ``t07_short`` it is ``short``."""
    return resume_key.partition("_")[2]
