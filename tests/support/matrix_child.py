"""The program behind ``matrix_survey``: works through its share of the fault matrix and prints its findings as JSON.

Arguments: the surveys as JSON, which copy this is (from 0), how many copies there are.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import tempfile
import time
import warnings
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple, Self

from promptrial import registry
from promptrial.providers.fireworks import FireworksProvider
from tests.support import matrix_kills
from tests.support.crash_lab import in_fork
from tests.support.matrix_bugs import BUGS
from tests.support.matrix_cases import Case, all_cases
from tests.support.matrix_emulator import running
from tests.support.matrix_lab import MatrixLab
from tests.support.matrix_survey import Found, Matrix
from tests.support.matrix_vendors import VENDORS
from tests.support.other_vendors import OTHER_VENDORS

_SAY_EVERY: Final = 250


class _Vendor(NamedTuple):
    """What the surveys of one emulator have in common."""

    vendor: str
    repeats: bool

    @classmethod
    def of(cls, survey: Matrix) -> Self:
        return cls(survey.vendor, survey.repeats)

    def running(self, place: Path) -> AbstractContextManager[str]:
        """Run the emulator of this vendor within the block; gives its address."""
        place.mkdir()
        return running(place / "emulator", repeats=self.repeats, own_names=self.vendor in OTHER_VENDORS)


def main(surveys: list[Matrix], copy: int, copies: int) -> list[Found]:
    """Carry out this copy's share of the surveys, each in its own fork, because planted bugs are permanent."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        registry.PROVIDERS.update({name: f"{kind.__module__}:{kind.__name__}" for name, kind in OTHER_VENDORS.items()})  # type: ignore[attr-defined]
        places = {each: root / f"{each.vendor} {each.repeats}" for each in map(_Vendor.of, surveys)}
        urls = {each: stack.enter_context(each.running(place)) for each, place in places.items()}
        matrix_kills.hurry()
        labs = {each: MatrixLab(places[each] / "lab", url, each.vendor) for each, url in urls.items()}
        gc.freeze()  # so that collecting garbage does not copy the memory that forks share
        found = []
        for number, survey in enumerate(surveys):
            place = root / str(number)
            place.mkdir()
            ended = in_fork(place, partial(_look, survey, labs[_Vendor.of(survey)], place, copy, copies))
            if ended.code != 0:
                raise RuntimeError(f"{survey}: {ended.said}")
            found.append(Found(**json.loads((place / "found").read_text())))
        return found


def _look(survey: Matrix, lab: MatrixLab, place: Path, copy: int, copies: int) -> None:
    began, found = time.perf_counter(), Found()
    lab.enter(place)
    if survey.vendor == FireworksProvider.name:
        FireworksProvider.keyed = survey.keyed
    if survey.bug:
        BUGS[survey.bug]()
    cases = [case for case in all_cases(VENDORS[survey.vendor], lab.steps) if re.search(survey.only, str(case))]
    found.possible = len(cases)
    wanted = _part(cases, survey.stride)
    found.wanted = len(wanted)
    for number, case in enumerate(wanted):
        if number % copies == copy and not (survey.bug and found.problems):
            _note(lab, case, found)
    found.seconds = time.perf_counter() - began
    (place / "found").write_text(json.dumps(asdict(found)))


def _part(cases: list[Case], stride: int) -> list[Case]:
    """Take every so many-th case of each fault, and of kills without a fault at each call; the first always."""
    groups = groupby(sorted(cases, key=_group), key=_group)
    return [case for _, group in groups for case in list(group)[::stride]]


def _group(case: Case) -> str:
    return case.fault or case.step.operation


def _note(lab: MatrixLab, case: Case, found: Found) -> None:
    verdict = lab.examine(case)
    found.cases += 1
    found.kills += verdict.killed
    found.resumes += verdict.resumes
    found.parked += verdict.parked
    found.faults = sorted({*found.faults, f"{case.fault} {case.variant}".strip()} - {""})
    found.operations = sorted(
        {*found.operations, case.step.operation, *([case.kill.step.operation] if case.kill else [])}
    )
    problems = [f"{case}: {problem}" for problem in dict.fromkeys(verdict.problems)]
    found.problems += problems
    for line in [*problems, *([str(found)] if found.cases % _SAY_EVERY == 0 else [])]:
        sys.stderr.write(f"{line}\n")  # a survey that is ended early has said what it saw


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # forking beside the threads of Arrow is what is done here
    results = main([Matrix(**survey) for survey in json.loads(sys.argv[1])], int(sys.argv[2]), int(sys.argv[3]))
    sys.stdout.write(json.dumps([asdict(found) for found in results]))
