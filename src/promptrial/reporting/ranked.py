"""The sentence on several arms: which may be the best, and which are shown to be worse. ``verdict`` shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from promptrial.documents.many_arms import Ranking
from promptrial.documents.significance import Wanted
from promptrial.model.arms import ArmName
from promptrial.reporting.cells import count, level
from promptrial.reporting.tables.words import listing

__all__ = ["can_rank", "ranked_words"]


def can_rank(ranking: Ranking) -> bool:
    """Return whether any two arms could be distinguished: some pair has an interval."""
    return any(pair.ci_method is not None for pair in ranking.pairs)


def ranked_words(ranking: Ranking, names: Mapping[ArmName, str], where: str, wanted: Wanted | None) -> tuple[str, str]:
    """Return what matters, and what follows it, as one sentence.

    ``short or long is best on exact match (95% confidence); plain is worse than both.``, and nothing.

    Parameters
    ----------
    ranking : Ranking
    names : mapping
        What arms are called.
    where : str
        The measure in words, with the temperature where there are several.
    wanted : {"higher", "lower"}, optional
        What is better; where that is not said, arms are called highest and lower.
    """
    best = [names.get(name, name) for name in ranking.best]
    sure = f"({level(ranking.confidence)} confidence)"
    superlative, comparative = ("highest", "lower") if wanted is None else ("best", "worse")
    if len(best) == len(ranking.arms):
        arms = "either arm" if len(best) == 2 else f"any of the {count(len(best))} arms"
        return f"Not shown which arm is {superlative} on {where}: ", f"{arms} may be {sure}."
    lead = f"{listing(best, 'or')} is {superlative} on {where} {sure}; {_behind(ranking, names, comparative)}."
    return lead, ""


def _behind(ranking: Ranking, names: Mapping[ArmName, str], comparative: str) -> str:
    """Return how the arms that cannot be the best compare with those that may be."""
    ahead = _ahead(ranking)
    others = [each.arm for each in ranking.arms if each.arm not in ranking.best]
    behind_all = [name for name in others if ahead[name] >= {*ranking.best}]
    parts = [(behind_all, {1: "", 2: " than both"}.get(len(ranking.best), " than all of these"))] if behind_all else []
    for name in others:
        if name not in behind_all:
            better = [names.get(each.arm, each.arm) for each in ranking.arms if each.arm in ahead[name]]
            parts.append(([name], f" than {listing(better)}"))
    said = [
        f"{listing([names.get(name, name) for name in some])} {'is' if len(some) == 1 else 'are'} {comparative}{than}"
        for some, than in parts
    ]
    return listing(said)


def _ahead(ranking: Ranking) -> dict[ArmName, set[ArmName]]:
    """Return by arm the arms that are shown to be ahead of it."""
    found: dict[ArmName, set[ArmName]] = {each.arm: set() for each in ranking.arms}
    for pair in ranking.pairs:
        if pair.ahead is not None:
            found[pair.second if pair.ahead == pair.first else pair.first].add(pair.ahead)
    return found
