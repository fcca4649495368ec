"""What two trials must have in common before a difference between them means anything, and what to say where not. Pure.

Prompts may differ: they are what is compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptrial.config.effective import config_hash, difference
from promptrial.documents.comparison import Agreement, AspectName, ItemMatch

__all__ = ["Identity", "agreements", "match_items", "refusal"]

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Identity:
    """What a trial is besides its prompts.

    ``items`` are the SHA-256 of the prepared files by name. ``scorer_sha256`` is that of the settings of all scorers
    which the scores on disk were made with; ``scorer`` are these settings, to say what differs. ``metrics`` says what
    decides about each score besides: type, settings of its own, version. A dry run's answers are no model's, so
    ``model`` holds whether it was one.
    """

    items: Mapping[str, str]
    scorer_sha256: str
    scorer: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, Any]]
    model: Mapping[str, Any]
    decoding: Mapping[str, Any]


def match_items(a: Mapping[str, bytes], b: Mapping[str, bytes]) -> tuple[list[str], ItemMatch]:
    """Return the keys of the items that are the same in both runs, in the order of A, and how all of them match.

    Parameters
    ----------
    a, b : mapping of str to bytes
        Item key -> digest of everything that the item is.
    """
    common = [key for key, digest in a.items() if b.get(key) == digest]
    shared = len(a.keys() & b.keys())
    match = ItemMatch(common=len(common), changed=shared - len(common), only_a=len(a) - shared, only_b=len(b) - shared)
    return common, match


def agreements(a: Identity, b: Identity, items: ItemMatch) -> tuple[Agreement, ...]:
    """Compare two trials, aspect by aspect."""
    return (
        _agreement("items", _digest(a.items), _digest(b.items), _item_words(items)),
        _scorer_agreement(a, b),
        _agreement("model", _digest(a.model), _digest(b.model), _lines(a.model, b.model)),
        _agreement("decoding", _digest(a.decoding), _digest(b.decoding), _lines(a.decoding, b.decoding)),
    )


def _scorer_agreement(a: Identity, b: Identity) -> Agreement:
    """Compare how the measures that both have were scored; another measure of one run changes nothing."""
    common = [name for name in a.metrics if name in b.metrics]
    (sha256_a, words_a), (sha256_b, words_b) = _scored(a, common), _scored(b, common)
    return _agreement("scorer", sha256_a, sha256_b, _lines(words_a, words_b))


def _scored(identity: Identity, metrics: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return the digest of all that decides about the scores of some measures, and what to say about it."""
    scorers = {name: identity.metrics[name] for name in metrics}
    digest = _digest({"settings": identity.scorer_sha256, "scorers": scorers})
    return digest, {**identity.scorer, "scorers": scorers}


def refusal(differing: Sequence[Agreement]) -> str:
    """Return what to say about aspects that differ: their digests, and below each what differs."""
    lines = []
    for each in differing:
        lines.append(f"  {each.aspect} differ{'' if each.aspect == 'items' else 's'}: "
                     f"SHA-256 {each.a[:_SHORT]} in A, {each.b[:_SHORT]} in B")  # fmt: skip
        lines += [f"    {line}" for line in each.differences]
    return "\n".join(lines)


def _agreement(aspect: AspectName, a: str, b: str, differences: tuple[str, ...]) -> Agreement:
    same = a == b
    return Agreement(aspect=aspect, a=a, b=b, same=same, differences=() if same else differences)


def _digest(values: Mapping[str, Any]) -> str:
    return config_hash(dict(values))


def _lines(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(difference(dict(a), dict(b)))


def _item_words(items: ItemMatch) -> tuple[str, ...]:
    return (
        f"{items.common} items are the same in both, {items.changed} have the same id but differ",
        f"{items.only_a} items are only in A, {items.only_b} only in B",
    )
