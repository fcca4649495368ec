"""What every provider of the registry promises, asked of the real adapter with a real server or engine behind it.

A provider joins by one entry in ``tests/support/provider_cases.py``, and without one the first test fails. Two vendors
that are not in the registry keep the same promises: one that names its jobs itself, and one that also has no look-up.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from promptrial import registry
from promptrial.config.instances import preset_instance
from promptrial.errors import ConfigError, NotOursError, OutcomeUnknownError, PermanentError, PromptrialError
from promptrial.model import Message, Request, RequestId, Sampling
from promptrial.model.instances import RequestOptions
from promptrial.providers.base import BatchProvider, JobLookup, JobRef, JobState, JobStatus, PartPayload
from promptrial.providers.request_rows import encode_request_row
from tests.support.other_vendors import OTHER_VENDORS
from tests.support.payloads import part_of
from tests.support.provider_cases import CASES, OTHER_CASES, ProviderCase
from tests.support.skips import NOT_THIS_PROVIDER

_MOST_LOOKS = 40
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Subject:
    """A provider under test, opened, and its case."""

    kind: type[BatchProvider]
    provider: BatchProvider
    case: ProviderCase
    folder: Path

    @contextmanager
    def another(self, env: Mapping[str, str] | None = None) -> Iterator[BatchProvider]:
        """Open it once more, as another process would, or in another environment."""
        provider = self.kind.open(self.case.env if env is None else env, self.case.instance)
        try:
            yield provider
        finally:
            provider.close()

    def payload(self, questions: int = 3, *, key: str = "", text: str = "What is number") -> PartPayload:
        """Return requests under a key that no other test has."""
        key = key or f"pt-contract-{next(_NUMBERS)}-a1"
        path = self.folder / f"{key}-{next(_NUMBERS)}.jsonl"
        sampling = Sampling(temperature=0.0, top_p=1.0, top_k=50, max_tokens=4, stop=(), seed=1)
        lines = [
            encode_request_row(
                Request(
                    RequestId("contract", f"q{number}", "control", "0.0", 0, "closed"),
                    (Message("system", "Be brief."), Message("user", f"{text} {number}?")),
                    sampling,
                )
            )
            for number in range(questions)
        ]
        return part_of(path, lines, self.case.model, key)

    def staged(self, payload: PartPayload) -> PartPayload:
        """Stage requests until a job may be made from them."""
        for _ in range(_MOST_LOOKS):
            staged = self.provider.stage(payload)
            if staged.ready:
                return replace(payload, staged=staged.name)
        raise AssertionError(f"not ready after {_MOST_LOOKS} calls")

    def job(self, payload: PartPayload) -> JobRef:
        return self.provider.submit(self.staged(payload))

    def ended(self, job: JobRef) -> JobStatus:
        """Look at a job until it no longer works."""
        for _ in range(_MOST_LOOKS):
            status = self.provider.status(job)
            if status.state is not JobState.WORKING:
                return status
        raise AssertionError(f"still working after {_MOST_LOOKS} looks")

    def compared(self, rows: Iterable[bytes]) -> list[object]:
        """Return what has to be the same each time: the bytes, but of a live server what they say of the answer.

        Its answers have another id each time, and it says what it had in its cache.
        """
        if self.kind.jobs or self.kind.local:
            return [*rows]
        return [replace(self.kind.parse_row(row), request_id=None, cached_tokens=None) for row in rows]

    def jobs_of(self, payload: PartPayload) -> int:
        return self.case.jobs().count(self.case.mark(payload))


@pytest.fixture(scope="module", params=[*registry.PROVIDERS, *OTHER_VENDORS])
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    name: str = request.param
    cases = {**CASES, **OTHER_CASES}
    if name not in cases:
        pytest.fail(f"provider {name!r} has no case: add one to tests/support/provider_cases.py")
    folder = tmp_path_factory.mktemp(name)
    kind: type[BatchProvider] = OTHER_VENDORS.get(name) or registry.load("provider", name)
    with cases[name](folder / "server") as case:
        provider = kind.open(case.env, case.instance)
        yield Subject(kind, provider, case, folder)
        provider.close()


@pytest.fixture
def hosted(subject: Subject) -> Subject:
    if not subject.kind.jobs:
        pytest.skip(f"{NOT_THIS_PROVIDER}: it answers request by request, so there is no job to create, find or lose")
    return subject


@pytest.fixture
def locked(hosted: Subject) -> Subject:
    if not hosted.case.needed:
        pytest.skip(f"{NOT_THIS_PROVIDER}: it needs no key, so that nobody is kept out and nothing is secret")
    return hosted


def test_every_registered_provider_has_a_case_and_every_case_a_provider() -> None:
    assert list(CASES) == list(registry.PROVIDERS)


class TestOpening:
    def test_the_environment_for_an_emulator_points_there_and_is_empty_for_a_local_provider(
        self, subject: Subject
    ) -> None:
        given = subject.case.instance or preset_instance(subject.case.model.adapter)
        if not subject.case.emulated:
            with pytest.raises(ConfigError):
                subject.kind.emulated(given, "http://127.0.0.1:9", "emulator-key", "emulator")
            return
        instance, env = subject.kind.emulated(given, "http://127.0.0.1:9", "emulator-key", "emulator")
        with closing(subject.kind.open(env, instance)) as provider:
            place = provider.fingerprint(subject.case.model).get("api") if not subject.kind.local else None
        assert place in {None, "127.0.0.1:9"}
        assert (env == {}) == subject.kind.local

    def test_the_name_of_a_provider_is_the_one_in_the_registry(self, subject: Subject) -> None:
        if subject.kind.name in OTHER_VENDORS:
            pytest.skip(f"{NOT_THIS_PROVIDER}: it is not in the registry")
        assert registry.load("provider", subject.kind.name) is subject.kind

    def test_the_options_that_a_provider_understands_are_request_options(self, subject: Subject) -> None:
        assert subject.kind.understands <= {each.name for each in fields(RequestOptions)}

    def test_each_missing_variable_is_named_with_what_to_do(self, locked: Subject) -> None:
        assert locked.case.needed
        for name in locked.case.needed:
            env = {key: value for key, value in locked.case.env.items() if key != name}
            with pytest.raises(ConfigError, match=name) as caught:
                locked.kind.open(env, locked.case.instance)
            assert caught.value.hint
            with pytest.raises(ConfigError, match=name):
                locked.kind.open({**env, name: " "}, locked.case.instance)

    def test_with_an_empty_environment_only_a_provider_that_needs_no_variable_opens(self, subject: Subject) -> None:
        if not subject.case.needed:
            subject.kind.open({}, subject.case.instance).close()
        else:
            with pytest.raises(ConfigError):
                subject.kind.open({}, subject.case.instance)

    def test_an_unused_provider_can_be_closed_twice(self, subject: Subject) -> None:
        provider = subject.kind.open(subject.case.env, subject.case.instance)
        provider.close()
        provider.close()

    def test_a_used_provider_can_be_closed_twice(self, subject: Subject) -> None:
        provider = subject.kind.open(subject.case.env, subject.case.instance)
        provider.check(subject.case.model)
        provider.stage(subject.payload())
        provider.close()
        provider.close()


class TestBeforeAJob:
    def test_a_model_that_is_served_passes_the_check(self, subject: Subject) -> None:
        subject.provider.check(subject.case.model)

    def test_an_impossible_model_is_refused_with_what_to_do(self, subject: Subject) -> None:
        if not subject.case.no_model:
            pytest.skip(f"{NOT_THIS_PROVIDER}: a wrong model shows when it is loaded")
        with pytest.raises(PromptrialError) as caught:
            subject.provider.check(replace(subject.case.model, id=subject.case.no_model))
        assert caught.value.hint

    def test_the_fingerprint_is_plain_data_stable_and_not_empty(self, subject: Subject) -> None:
        found = subject.provider.fingerprint(subject.case.model)
        assert found
        with subject.another() as other:
            assert other.fingerprint(subject.case.model) == found
        assert all(isinstance(value, str | int | float | bool) for value in found.values())

    def test_a_token_count_is_plausible_or_not_available(self, subject: Subject) -> None:
        count = subject.provider.count_tokens(subject.case.model, "one two three four")
        assert count is None or count >= 4

    def test_staging_ends_ready_and_can_be_repeated(self, subject: Subject) -> None:
        payload = subject.staged(subject.payload())
        again = subject.provider.stage(payload)
        assert again.ready
        with subject.another() as other:
            assert other.stage(payload) == again

    def test_a_user_without_access_gets_an_error_that_names_the_variable_before_a_job_exists(
        self, locked: Subject
    ) -> None:
        before = locked.case.jobs()
        payload = locked.payload()
        with locked.another({**locked.case.env, **locked.case.locked_out}) as provider:
            calls: list[Callable[[], object]] = [
                lambda: provider.check(locked.case.model),
                lambda: provider.stage(payload),
                lambda: provider.submit(payload),
            ]
            if locked.kind.lookup is not JobLookup.NONE:
                calls.append(lambda: provider.find(payload))
            for call in calls:
                with pytest.raises(PermanentError) as caught:
                    call()
                assert any(name in str(caught.value) for name in locked.case.locked_out)
        assert locked.case.jobs() == before


class TestAJob:
    def test_a_job_is_found_only_after_it_was_created(self, hosted: Subject) -> None:
        _require_lookup(hosted)
        payload = hosted.staged(hosted.payload())
        assert hosted.provider.find(payload) is None
        job = hosted.provider.submit(payload)
        assert hosted.provider.find(payload) == job
        with hosted.another() as other:
            assert other.find(payload) == job

    def test_a_provider_without_jobs_always_finds_its_job(self, subject: Subject) -> None:
        if subject.kind.jobs:
            pytest.skip(f"{NOT_THIS_PROVIDER}: it is hosted")
        payload = subject.payload()
        assert subject.provider.find(payload) == subject.provider.submit(payload)

    def test_a_vendor_with_unique_keys_refuses_a_second_job_with_the_same_key(self, hosted: Subject) -> None:
        if not hosted.kind.keyed:
            pytest.skip(f"{NOT_THIS_PROVIDER}: it takes any number of jobs of one key")
        payload = hosted.payload()
        job = hosted.job(payload)
        with pytest.raises(OutcomeUnknownError):
            hosted.provider.submit(payload)
        assert hosted.jobs_of(payload) == 1
        hosted.ended(job)
        with pytest.raises(OutcomeUnknownError):
            hosted.provider.submit(payload)
        assert hosted.jobs_of(payload) == 1

    def test_a_job_has_our_key_as_its_name_only_if_the_provider_declares_that(self, hosted: Subject) -> None:
        payload = hosted.payload()
        job = hosted.job(payload)
        assert (job.name == payload.key) == (hosted.kind.lookup is JobLookup.KEY_IS_NAME)
        assert hosted.jobs_of(payload) == 1

    def test_another_process_addresses_a_job_by_its_name_and_not_by_our_key(self, hosted: Subject) -> None:
        payload = hosted.payload()
        job = hosted.job(payload)
        with hosted.another() as other:
            assert hosted.ended(JobRef(job.name)).state is JobState.READY
            assert len(list(other.results(JobRef(job.name), payload))) == payload.rows
            if hosted.kind.lookup is not JobLookup.KEY_IS_NAME:
                assert other.status(JobRef(payload.key)).state is JobState.MISSING

    def test_the_command_that_stops_a_job_uses_the_vendors_name(self, subject: Subject) -> None:
        engine = subject.provider.fingerprint(subject.case.model)
        command = subject.kind.stop_by_hand("a job; of ours", engine)
        if not subject.kind.jobs or not subject.case.needed:
            assert command is None
        else:
            assert command is not None
            assert any("a job; of ours" in word for word in shlex.split(command))

    def test_a_job_of_other_requests_or_another_model_is_not_taken_for_ours(self, hosted: Subject) -> None:
        _require_lookup(hosted)
        if hosted.kind.lookup is JobLookup.GUESS:
            pytest.skip(f"{NOT_THIS_PROVIDER}: its jobs show nothing of their requests before their results do")
        payload = hosted.payload()
        hosted.job(payload)
        other = replace(payload, dataset_key=hosted.payload().dataset_key)
        model = replace(payload, model=replace(payload.model, id=payload.model.id + "-other"))
        for wrong in (other, model):
            with pytest.raises(PermanentError, match=payload.key) as caught:
                hosted.provider.find(wrong)
            assert caught.value.hint

    def test_results_of_a_wrongly_guessed_job_are_refused(self, hosted: Subject) -> None:
        if hosted.kind.lookup is not JobLookup.GUESS:
            pytest.skip(f"{NOT_THIS_PROVIDER}: its jobs are found by our key")
        theirs = hosted.payload()
        ours = hosted.staged(hosted.payload())
        job = hosted.job(theirs)
        assert hosted.provider.find(ours) == job  # as long as it works, nothing tells
        hosted.ended(job)
        with pytest.raises(NotOursError, match=job.name):
            list(hosted.provider.results(job, ours))
        assert hosted.provider.find(ours) is None
        with hosted.another() as other:
            assert other.find(ours) is None

    def test_a_job_becomes_ready_and_stays_ready(self, subject: Subject) -> None:
        job = subject.job(subject.payload())
        assert subject.ended(job).state is JobState.READY
        assert subject.provider.status(job).state is JobState.READY

    def test_a_job_unknown_to_the_vendor_is_missing(self, hosted: Subject) -> None:
        assert hosted.provider.status(JobRef("pt-contract-never-a1")).state is JobState.MISSING

    def test_a_cancelled_job_ends_without_answers_and_can_be_cancelled_again(self, hosted: Subject) -> None:
        job = hosted.job(hosted.payload())
        hosted.provider.cancel(job)
        assert hosted.provider.status(job).state in {JobState.WORKING, JobState.CANCELLED, JobState.MISSING}
        assert hosted.ended(job).state in {JobState.CANCELLED, JobState.MISSING}
        hosted.provider.cancel(job)

    def test_cancelling_a_missing_job_is_not_an_error(self, subject: Subject) -> None:
        subject.provider.cancel(JobRef("pt-contract-never-a1"))

    def test_the_commands_to_fetch_a_job_by_hand_name_it_and_the_folder(self, subject: Subject) -> None:
        folder = subject.folder / "a folder with spaces"
        commands = subject.provider.by_hand(JobRef("pt-contract-7-a1"), folder)
        if not subject.kind.jobs:
            assert commands == ()
        else:
            assert any("pt-contract-7-a1" in command and str(folder) in command for command in commands)


class TestAnswers:
    def test_each_request_has_one_row_that_can_be_read(self, subject: Subject) -> None:
        payload = subject.payload(questions=4)
        job = subject.job(payload)
        subject.ended(job)
        rows = list(subject.provider.results(job, payload))
        completions = [subject.provider.parse_row(row) for row in rows]
        assert sorted(each.wire_id for each in completions) == sorted(row.custom_id for row in payload.requests())
        assert all(each.error is None and each.text for each in completions)
        assert all((each.prompt_tokens or 0) > 0 and (each.completion_tokens or 0) > 0 for each in completions)
        assert not any(b"\n" in row for row in rows)

    def test_rows_have_the_same_bytes_each_time_and_in_another_process(self, subject: Subject) -> None:
        payload = subject.payload()
        job = subject.job(payload)
        subject.ended(job)
        first = subject.compared(subject.provider.results(job, payload))
        assert subject.compared(subject.provider.results(job, payload)) == first
        with subject.another() as other:
            assert subject.compared(other.results(JobRef(job.name), payload)) == first

    def test_reading_can_be_stopped_and_started_again(self, subject: Subject) -> None:
        payload = subject.payload()
        job = subject.job(payload)
        subject.ended(job)
        started = subject.provider.results(job, payload)
        first = subject.compared([next(iter(started))])
        started.close()  # type: ignore[attr-defined]
        assert subject.compared([next(iter(subject.provider.results(job, payload)))]) == first

    def test_different_requests_get_different_answers(self, subject: Subject) -> None:
        texts = []
        for text in ("What is the capital of France, and number", "Tell me a long story about the sea and the number"):
            payload = subject.payload(questions=1, text=text)
            job = subject.job(payload)
            subject.ended(job)
            texts += [subject.provider.parse_row(row).text for row in subject.provider.results(job, payload)]
        assert len(set(texts)) == 2

    @pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"{", b"\xff", b'{"custom_id": "a"}', b'{"custom_id": 7}'])
    def test_a_line_that_is_not_a_row_is_refused(self, subject: Subject, line: bytes) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever the message
            subject.provider.parse_row(line)


def _require_lookup(subject: Subject) -> None:
    if subject.kind.lookup is JobLookup.NONE:
        pytest.skip(f"{NOT_THIS_PROVIDER}: its jobs cannot be found by our key")


def test_no_message_or_representation_contains_a_key(locked: Subject) -> None:
    payload, never = locked.payload(), JobRef("pt-contract-never-a1")
    said: list[str] = []
    with locked.another({**locked.case.env, **locked.case.locked_out}) as wrong:
        for provider in (locked.provider, wrong):
            said += [repr(provider), str(provider), *(repr(value) for value in vars(provider).values())]
            said += [*provider.by_hand(never, locked.folder), str(provider.fingerprint(locked.case.model))]
            said += _errors_of(provider, locked.case, payload, never)
    secrets = {*locked.case.secrets, *locked.case.locked_out.values()}
    assert secrets
    assert not [text for text in said for secret in secrets if secret in text]


def _errors_of(provider: BatchProvider, case: ProviderCase, payload: PartPayload, never: JobRef) -> list[str]:
    """Return the text of errors of calls that fail because a dataset, a job or a permission is missing.

    Creating a job from requests that were not uploaded does not fail if the create call itself sends them.
    """
    said: list[str] = []
    unknown = replace(case.model, id=case.no_model)
    calls: dict[str, Callable[[], object]] = {
        "submit": lambda: provider.submit(payload),
        "results": lambda: list(provider.results(never, payload)),
        "check": lambda: provider.check(unknown),
    }
    for name, call in calls.items():
        error: BaseException | None = None
        try:
            call()
        except PromptrialError as caught:
            error = caught
        assert error is not None or (name == "submit" and provider.lookup is JobLookup.GUESS)
        while error is not None:
            said += [str(error), repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
    return said
