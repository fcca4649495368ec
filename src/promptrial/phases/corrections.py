"""Question files that changed in nothing that is sent: accepted answers and kept columns are corrected, nothing asked.

A file that a run was prepared from is read again where it has changed. If the sample has the same questions in the same
order, and each would be sent as before, the run takes over the rest: *prepare* writes its items again, requests stay
the same in every byte, and *parse* to *report* run again. Otherwise the run keeps the questions that it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from promptrial.errors import PromptrialError
from promptrial.model import Item
from promptrial.phases.kept_questions import sent
from promptrial.phases.prepare import read_again
from promptrial.phases.prepared import all_items, in_order
from promptrial.phases.services import Services
from promptrial.phases.spec import RunSpec
from promptrial.phases.subgroups import check_subgroups
from promptrial.store.change_records import CorrectedSource

__all__ = ["Found", "counted", "find"]


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the question files: those that correct the run, by data set, and a warning for each other."""

    sources: Mapping[str, CorrectedSource]
    warnings: tuple[str, ...]


def find(spec: RunSpec, services: Services, changed: Mapping[str, str]) -> Found:
    """Look at the question files that have changed since the run was prepared; nothing is written.

    Parameters
    ----------
    spec : RunSpec
        Its prepared items must be whole.
    services : Services
    changed : mapping
        Data set -> a warning, for each whose file has changed.
    """
    sources: dict[str, CorrectedSource] = {}
    warnings: list[str] = []
    items = list(all_items(spec.run))
    for name, warning in changed.items():
        before = [item for item in items if item.dataset == name]
        try:
            again, sha256 = read_again(spec, services, name)
            n = corrected(before, in_order(spec.run, again))
            if n is None:
                warnings.append(warning)
                continue
            both = [item for item in items if item.dataset != name] + again
            check_subgroups(spec.config.subgroups, both)
        except PromptrialError as error:
            warnings.append(f"{warning}. It cannot be used: {error.message}")
        else:
            items = both
            sources[name] = CorrectedSource(sha256=sha256, questions=n)
    return Found(sources, tuple(warnings))


def counted(source: CorrectedSource) -> str:
    """Return in words how many questions a file corrects."""
    n = source.questions
    return f"{n:,} question{'s' if n > 1 else ''} corrected" if n else "its questions are unchanged"


def corrected(before: Sequence[Item], after: Sequence[Item]) -> int | None:
    """Return how many items differ, all of them in what is not sent; None if anything else differs."""
    if [sent(item) for item in before] != [sent(item) for item in after]:
        return None
    return sum(one != other for one, other in zip(before, after, strict=True))
