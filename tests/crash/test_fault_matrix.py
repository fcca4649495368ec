"""Every fault of a hosted provider at every call of a run, with the run killed around that call, and resumed.

A small run of two arms speaks real HTTP to an emulator in a process of its own, which meets the calls with each of its
faults: refusals, resets before and after the call was applied, answers that cannot be read, late and hidden creations,
jobs that fail, expire or never end, garbled and cut results, objects that vanish. Besides, the run's process sends
itself SIGKILL right before that call, right after it was answered, and right before and after the next line of the
journal; faults of a job are also combined with kills at each later call, where they are felt. Lasting faults go on in
the first resume.

After at most four resumes the run must have ended as an undisturbed one does: the same tables byte for byte; exactly
one accepted job for each intent, in the emulator's ledger as in the manifest, and no job more than the fault has made
necessary; no data set made twice; no request asked again that was answered. However a process ended: every record
loads, an intent on disk names every job that was paid for, and no file holds the key. Most faults a run must outlast
without any resume. Where the vendor would accept a second job of a key, a part may end parked as ``unknown`` instead,
and never with that second job. Two vendors that name their jobs themselves are taken through the same: at one a job
can be searched for by our key, at the other it cannot. At OpenAI a call that is still on its way is fenced by deleting
the file that its job would be made from, so that no part is parked. At Anthropic, whose batches carry nothing of ours,
a job is guessed, and proved by its results.

``make crash`` takes every combination; without ``CRASH_POINTS=all`` a fixed part of them is taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

import pytest

from promptrial_emulator.faults.rules import FAULTS
from tests.support.matrix_survey import Found, Matrix, carry_out

ALL: Final = os.environ.get("CRASH_POINTS") == "all"
pytestmark = pytest.mark.timeout(8 * 3600 if ALL else 3600)  # some ten thousand cases of some 0.4 s, in two processes
_OF_JOBS: Final = "" if ALL else " at (create_job|list_jobs|get_job)|^killed .* (create_job|list_jobs|get_job)"
"""Where the names of jobs matter: data sets and downloads are those of the vendor that refuses a second job."""
SURVEYS: Final = {
    "a vendor that refuses a second job of a key": Matrix(stride=1 if ALL else 127),
    "a vendor that accepts one, and is known to": Matrix(
        only="^(F([1-8]|1[78]) .*|killed .*)create_(job|dataset)", keyed=False, repeats=True, stride=1 if ALL else 31
    ),
    "a vendor that accepts one, and is not known to": Matrix(
        only="F(5|18) .*create_job|^killed .*create_job", repeats=True, stride=1 if ALL else 5
    ),
    "a vendor that names its own jobs": Matrix(vendor="own_names", only=_OF_JOBS, stride=1 if ALL else 211),
    "a vendor that names its own jobs and has no look-up": Matrix(
        vendor="no_lookup", only=_OF_JOBS, stride=1 if ALL else 211
    ),
    "OpenAI, whose jobs are fenced by deleting their file": Matrix(vendor="openai", stride=1 if ALL else 211),
    "Anthropic, whose jobs can only be guessed": Matrix(vendor="anthropic", stride=1 if ALL else 211),
}
# Each bug: where to look for it (so that it takes a moment), at which vendor, and what is then said of it.
BUGS: Final = {
    "no_lookup": ("F5 reset at create_job 1$", True, "was created 2 times"),
    "counts_on_keys": ("F8 reset delay_s=250.0 at create_job 1$", True, "was created 2 times"),
    "no_intent": ("^killed after the call create_job", False, "was paid for, and no intent names it"),
    "asks_everything_again": ("F10 expired at create_job 1$", False, "was asked again"),
    "new_key_each_time": ("^killed after the call create_job", False, "3 jobs were created, not 2"),
    "expired_is_lost": ("F10 expired at create_job 1$", False, "jobs were created, not 3|was asked again"),
    "says_the_key": ("F2 json at create_job 1$", False, "holds the key"),
    "key_is_the_name": ("^killed after the call create_job", False, "the last resume ended with 1|has the job"),
    "no_note": ("^killed before the line after create_job", False, "although a file beside the results names its job"),
    "fences_nothing": ("F8 reset delay_s=250.0 at create_batch 1$", False, "3 jobs were created, not 2"),
    "guesses_nothing": ("F5 reset at create_batch 1$", False, "was created 2 times"),
}
AT_ANOTHER_VENDOR: Final = {
    "key_is_the_name": "own_names",
    "no_note": "no_lookup",
    "fences_nothing": "openai",
    "guesses_nothing": "anthropic",
}
PLANTED: Final = {
    bug: Matrix(bug=bug, only=only, repeats=repeats, vendor=AT_ANOTHER_VENDOR.get(bug, "fireworks"))
    for bug, (only, repeats, _) in BUGS.items()
}
CALLS: Final = {
    "list_jobs", "get_dataset", "create_dataset", "upload",
    "get_job", "create_job", "get_download_endpoint", "download",
    "list_files", "get_file", "create_batch", "list_batches", "get_batch", "results",
}  # fmt: skip


@pytest.fixture(scope="module")
def found() -> Mapping[str, Found]:
    surveys = {**SURVEYS, **PLANTED}
    return dict(zip(surveys, carry_out(list(surveys.values())), strict=True))


@pytest.mark.parametrize("name", SURVEYS)
def test_after_any_fault_a_resume_ends_with_the_same_bytes_and_one_job_for_each_intent(
    name: str, found: Mapping[str, Found]
) -> None:
    print(f"{name}: {found[name]}")
    assert found[name].problems == []
    assert found[name].cases == found[name].wanted >= found[name].possible / SURVEYS[name].stride
    assert found[name].kills > 0
    assert found[name].resumes > 0


def test_the_matrix_injects_every_fault_and_disturbs_every_call_of_a_run(found: Mapping[str, Found]) -> None:
    met = {fault.split()[0] for each in SURVEYS for fault in found[each].faults}
    assert met == set(FAULTS)
    assert {call for each in SURVEYS for call in found[each].operations} == CALLS


def test_a_part_is_parked_only_where_the_vendor_would_accept_a_second_job(found: Mapping[str, Found]) -> None:
    refuses, accepts, _, names_its_own, has_no_lookup, is_fenced, is_guessed = (found[name] for name in SURVEYS)
    assert refuses.parked == 0
    assert accepts.parked > 0
    assert 0 <= names_its_own.parked < names_its_own.cases
    assert has_no_lookup.parked > 0
    assert is_fenced.parked == 0
    assert 0 <= is_guessed.parked < is_guessed.cases / 4


@pytest.mark.parametrize("bug", BUGS)
def test_the_check_detects_a_planted_bug(bug: str, found: Mapping[str, Found]) -> None:
    print(f"{bug}: {found[bug]}")
    assert [problem for problem in found[bug].problems if re.search(BUGS[bug][2], problem)], found[bug].problems[:5]
