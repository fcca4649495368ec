"""Whether the items have what the scorers need: a gold answer, or choices. *Prepare* counts those that lack it.

Where ``unscorable`` is ``refuse``, such items are refused by name: by *prepare*, before anything is asked, for scorers
of the package, and by *score* for those whose own code says what they need. A passage is no such need: a scorer that
needs one has always applied to open-book items alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from promptrial.documents.scorers import Need
from promptrial.errors import DataError
from promptrial.model import Item
from promptrial.phases.spec import RunSpec
from promptrial.scoring.contract import item_tests
from promptrial.store.manifests import load_manifest

__all__ = ["LackCheck", "check_recorded", "lack_facts"]

Needs = Mapping[str, Sequence[Need]]
"""What each scorer needs, by name."""

_WORDS: Final[Mapping[Need, tuple[str, str]]] = {
    "gold": ("no gold answer", "questions-without-a-gold-answer"),
    "choices": ("no choices", "choices"),
}
"""What such items lack, in words, and where the documentation of questions says more."""


class LackCheck:
    """Refuses the items of a data set that lack what a scorer needs; it notices their places as they are read."""

    def __init__(self, needs: Needs) -> None:
        self._scorers = {need: names for need in _WORDS if (names := _scorers_that_need(need, needs))}
        self._places: dict[Need, dict[str, str]] = {need: {} for need in self._scorers}
        self._tests = {need: item_tests((need,)) for need in self._scorers}

    def notice(self, place: object, item: Item) -> None:
        """Look at an item that is at ``place``."""
        for need, places in self._places.items():
            if not all(test(item) for test in self._tests[need]):
                places[item.id] = str(place)

    def check(self, dataset: str, items: Sequence[Item]) -> None:
        """Check the items that were drawn.

        Raises
        ------
        DataError
            Naming the scorers, the data set, how many items there are, and the first with its place.
        """
        drawn = {item.id for item in items}
        for need, places in self._places.items():
            found = [item_id for item_id in places if item_id in drawn]  # in the order of the file
            if found:
                first = f"; the first: {places[found[0]]} id {found[0]!r}"
                raise _refusal(dataset, need, (len(found), len(items)), self._scorers[need], first)


def lack_facts(items: Sequence[Item]) -> dict[str, int]:
    """Return what is recorded of the items of a data set: nothing if all have a gold answer and none choices."""
    counts = {
        "without_gold": sum(not item.has_gold for item in items),
        "with_choices": sum(bool(item.choices) for item in items),
    }
    return {name: n for name, n in counts.items() if n}


def check_recorded(spec: RunSpec, needs: Needs) -> None:
    """Refuse prepared items that lack what a scorer needs, unless the configuration skips them.

    Raises
    ------
    DataError
        Naming the scorers, the data set and how many items there are.
    """
    manifest = load_manifest(spec.run.prepared / "manifest.json")
    if manifest is None or spec.config.unscorable == "skip":
        return
    for dataset, source in manifest.facts.get("sources", {}).items():
        for need, n_lacking in _recorded(source):
            if n_lacking and (scorers := _scorers_that_need(need, needs)):
                raise _refusal(dataset, need, (n_lacking, source["items"]), scorers)


def _recorded(source: Mapping[str, Any]) -> Iterator[tuple[Need, int]]:
    """Yield how many items of a data set lack something; those of an older version all have a gold answer."""
    yield "gold", source.get("without_gold", 0)
    yield "choices", source.get("items", 0) - source.get("with_choices", 0)


def _scorers_that_need(need: Need, needs: Needs) -> list[str]:
    return [name for name, all_of_it in needs.items() if need in all_of_it]


def _refusal(dataset: str, need: Need, counts: tuple[int, int], scorers: Sequence[str], first: str = "") -> DataError:
    lacking, total = counts
    words, anchor = _WORDS[need]
    held = f"{lacking:,} of {total:,} questions {'has' if lacking == 1 else 'have'} {words}"
    instead = " (such as length or abstain_rate)" if need == "gold" else ""
    verb = "needs" if len(scorers) == 1 else "need"
    return DataError(
        f"datasets.{dataset}: {held}, and {', '.join(scorers)} {verb} {'one' if need == 'gold' else 'them'}{first}",
        hint=(
            f"add what is missing to the questions, list `scorers` that do not need it{instead}, or write "
            f"`unscorable: skip` so that these scorers skip such questions (docs/questions.md#{anchor})"
        ),
    )
