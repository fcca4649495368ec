"""What the configuration says about scores that no code of the package declares: those of a function or a program."""

from __future__ import annotations

from dataclasses import dataclass, fields

from promptrial.documents.scorers import Declaration, Direction, Need, Role, Scale

__all__ = ["STATED", "Stated", "label_of"]


@dataclass(frozen=True)
class Stated:
    """The keys that say what scores mean, with their defaults.

    ``label`` and ``meaning`` are made from other names if they are empty. ``scale`` None is `continuous`, or what the
    function itself says. ``needs`` are added to what its parameters say.
    """

    label: str = ""
    meaning: str = ""
    scale: Scale | None = None
    direction: Direction = "higher"
    range: tuple[float, float] = (0.0, 1.0)
    needs: tuple[Need, ...] = ()
    role: Role | None = None

    def declaration(
        self, label: str, meaning: str, scale: Scale = "continuous", needs: tuple[Need, ...] = ()
    ) -> Declaration:
        """Return the declaration; the arguments are what holds where nothing is stated."""
        return Declaration(
            label=self.label or label,
            meaning=self.meaning or meaning,
            scale=self.scale or scale,
            direction=self.direction,
            range=self.range,
            needs=tuple(dict.fromkeys((*needs, *self.needs))),
            role=self.role,
        )


def label_of(name: str) -> str:
    """Return how tables call a scorer that states no label.

    Examples
    --------
    >>> label_of("share_of_words")
    'Share of words'
    """
    return name[:1].upper() + name[1:].replace("_", " ")


STATED = frozenset(field.name for field in fields(Stated))
"""The names of these keys."""
