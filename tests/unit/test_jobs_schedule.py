"""Many tasks in one thread: how many run at a time, in which order, what a stop and an error do. On a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import pytest

from promptrial.errors import Detached, PermanentError
from promptrial.jobs.schedule import FOR_A_PERSON, Lane, PartTask, Schedule, Steps, Wakes
from promptrial.runtime.clock import FakeClock
from promptrial.runtime.stop import StopToken


@dataclass
class Diary:
    """What happened, and when."""

    clock: FakeClock = field(default_factory=FakeClock)
    entries: list[tuple[float, str]] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.entries.append((self.clock.monotonic(), text))

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.entries]


@dataclass
class Sleeper:
    """A task that waits so many seconds, each wait in turn."""

    name: str
    diary: Diary
    waits: tuple[float, ...]
    error: BaseException | None = None
    in_flight: bool = False
    errors: list[Exception] = field(default_factory=list)
    knows_it_was_left: bool = False

    def steps(self) -> Steps[None]:
        try:
            self.diary.write(f"{self.name} begins")
            for seconds in self.waits:
                yield seconds
                self.diary.write(f"{self.name} goes on")
            if self.error is not None:
                raise self.error
            self.diary.write(f"{self.name} ends")
        except GeneratorExit:
            self.diary.write(f"{self.name} is left")
            raise

    def left_off(self) -> None:
        self.knows_it_was_left = True

    def failed(self, error: Exception) -> None:
        self.errors.append(error)


@dataclass
class Waker(Sleeper):
    """A task that wakes another at its end."""

    of: Sleeper | None = None
    wakes: Wakes = field(default_factory=Wakes)

    def steps(self) -> Steps[None]:
        yield from Sleeper.steps(self)
        assert self.of is not None
        self.wakes.wake(self.of)


@dataclass
class Busy:
    """A task that is woken as soon as it waits, a hundred times."""

    diary: Diary
    wakes: Wakes
    in_flight: bool = False

    def steps(self) -> Steps[None]:
        for _ in range(100):
            self.wakes.wake(self)
            yield 50.0
        self.diary.write("busy ends")

    def left_off(self) -> None:
        pass

    def failed(self, error: Exception) -> None:
        raise error


@dataclass
class OneLane:
    """A schedule with one lane."""

    inner: Schedule
    limit: int

    @property
    def parked(self) -> list[tuple[PartTask, Steps[None]]]:
        return self.inner.parked

    def run(self, tasks: Iterable[PartTask], *, leave_in_flight: bool = False) -> None:
        self.inner.run([Lane.of(tasks, self.limit)], leave_in_flight=leave_in_flight)


def schedule(diary: Diary, limit: int = 8, when: Callable[[], bool] | None = None) -> OneLane:
    stop = StopToken(None, diary.clock, when)
    return OneLane(Schedule(diary.clock, stop, lambda tasks: diary.write(f"{len(tasks)} in flight")), limit)


def test_tasks_continue_in_the_order_in_which_their_waits_end() -> None:
    diary = Diary()
    schedule(diary).run(iter([Sleeper("a", diary, (5, 5)), Sleeper("b", diary, (3,)), Sleeper("c", diary, (5,))]))
    assert [text for text in diary.texts if "goes on" in text] == ["b goes on", "a goes on", "c goes on", "a goes on"]
    assert diary.clock.monotonic() == 10


def test_tasks_beyond_the_limit_start_when_another_has_ended() -> None:
    diary = Diary()
    schedule(diary, limit=2).run(Sleeper(name, diary, (10,)) for name in "abc")
    assert diary.entries[:3] == [(0.0, "a begins"), (0.0, "b begins"), (10.0, "a goes on")]
    assert (10.0, "c begins") in diary.entries


def test_an_error_ends_only_its_own_task() -> None:
    diary = Diary()
    broken = Sleeper("a", diary, (1,), PermanentError("no"))
    schedule(diary).run(iter([broken, Sleeper("b", diary, (2,))]))
    assert [str(error) for error in broken.errors] == ["no"]
    assert diary.texts[-1] == "b ends"


def test_a_stop_abandons_tasks_that_are_not_in_flight_and_finishes_the_others() -> None:
    diary = Diary()
    tasks = [Sleeper("a", diary, (5, 5), in_flight=True), Sleeper("b", diary, (5,)), Sleeper("c", diary, (5,))]
    schedule(diary, limit=2, when=lambda: diary.clock.monotonic() >= 3).run(iter(tasks))
    assert diary.texts == ["a begins", "b begins", "b is left", "1 in flight", "a goes on", "a goes on", "a ends"]
    assert [task.knows_it_was_left for task in tasks] == [False, True, False]
    assert diary.clock.monotonic() == pytest.approx(10)


def test_tasks_in_flight_can_be_left_once_no_task_waits_to_start() -> None:
    diary = Diary()
    schedule(diary, limit=2).run(
        (Sleeper(name, diary, (100,), in_flight=True) for name in "ab"), leave_in_flight=True
    )  # fmt: skip
    assert diary.texts[:2] == ["a begins", "b begins"]
    assert not [text for text in diary.texts if "goes on" in text]
    assert diary.clock.monotonic() == 0


def test_a_task_that_is_not_in_flight_yet_is_waited_for_before_the_others_are_left() -> None:
    diary = Diary()
    late = Sleeper("b", diary, (7,))
    schedule(diary).run(iter([Sleeper("a", diary, (100,), in_flight=True), late]), leave_in_flight=True)
    assert [text for text in diary.texts if "left" not in text] == ["a begins", "b begins", "b goes on", "b ends"]
    assert diary.clock.monotonic() == 7


def test_a_detach_is_not_an_error_of_a_task_and_takes_effect_immediately() -> None:
    diary = Diary()
    task = Sleeper("a", diary, (1,), Detached(2))
    with pytest.raises(Detached):
        schedule(diary).run(iter([task, Sleeper("b", diary, (2,))]))
    assert task.errors == []
    assert diary.clock.monotonic() == 1


def test_no_new_task_is_requested_after_a_stop() -> None:
    diary, asked = Diary(), []

    def tasks() -> Iterator[Sleeper]:
        for name in "abcdef":
            asked.append(name)
            yield Sleeper(name, diary, (1,))

    schedule(diary, limit=1, when=lambda: "b begins" in diary.texts).run(tasks())
    assert diary.texts == ["a begins", "a goes on", "a ends", "b begins", "b is left"]
    assert asked == ["a", "b", "c"], "one is looked at ahead, and not started"


def test_lanes_are_worked_on_at_the_same_time_each_with_its_own_limit() -> None:
    diary = Diary()
    slow = Lane.of([Sleeper(name, diary, (10,)) for name in ("slow 1", "slow 2")], 1)
    quick = Lane.of([Sleeper(name, diary, (1,)) for name in ("quick 1", "quick 2", "quick 3")], 2)
    schedule(diary).inner.run([slow, quick])
    assert diary.texts[:3] == ["slow 1 begins", "quick 1 begins", "quick 2 begins"]
    assert (1.0, "quick 3 begins") in diary.entries
    assert (10.0, "slow 2 begins") in diary.entries
    assert diary.clock.monotonic() == 20


def test_a_task_that_is_woken_continues_before_its_time_and_that_wait_counts_no_more() -> None:
    diary = Diary()
    made = schedule(diary).inner
    sleeper = Sleeper("a", diary, (100, 5))
    waker = Waker("b", diary, (3,), of=sleeper, wakes=made.wakes)
    made.run([Lane.of([sleeper, waker], 2)])
    assert [(at, text) for at, text in diary.entries if text.startswith("a ")] == [
        (0.0, "a begins"), (3.0, "a goes on"), (8.0, "a goes on"), (8.0, "a ends")
    ]  # fmt: skip


def test_waking_a_task_that_has_ended_does_nothing() -> None:
    diary = Diary()
    made = schedule(diary).inner
    sleeper = Sleeper("a", diary, (1,))
    made.run([Lane.of([sleeper, Waker("b", diary, (3,), of=sleeper, wakes=made.wakes), Sleeper("c", diary, (9,))], 3)])
    assert diary.texts[-1] == "c ends"


def test_a_task_that_is_woken_repeatedly_does_not_delay_the_others() -> None:
    diary = Diary()
    made = schedule(diary).inner
    busy = Busy(diary, made.wakes)
    made.run([Lane.of([busy, Sleeper("b", diary, (0, 0))], 2)])
    assert diary.texts.index("b ends") < diary.texts.index("busy ends")


class TestWaitingForAPerson:
    def test_a_watching_task_uses_no_slot_and_ends_when_no_other_task_runs(self) -> None:
        diary = Diary()
        waiting = [Sleeper(name, diary, (FOR_A_PERSON,) * 3) for name in "ab"]
        found = schedule(diary, limit=1)
        found.run(iter([*waiting, Sleeper("c", diary, (5,))]))
        assert diary.clock.monotonic() == 5
        assert "c ends" in diary.texts
        assert [task for task, _ in found.parked] == waiting

    def test_a_watching_task_checks_once_more_after_the_others_ended(self) -> None:
        diary = Diary()
        found = schedule(diary)
        found.run(iter([Sleeper("a", diary, (FOR_A_PERSON,)), Sleeper("b", diary, (5,))]))
        assert diary.texts[-2:] == ["a goes on", "a ends"]
        assert found.parked == []

    def test_a_task_that_continues_after_that_check_is_finished(self) -> None:
        diary = Diary()
        found = schedule(diary)
        found.run(iter([Sleeper("a", diary, (FOR_A_PERSON, 7)), Sleeper("b", diary, (5,))]))
        assert diary.clock.monotonic() == 12
        assert diary.texts[-1] == "a ends"

    def test_a_watching_task_without_others_is_not_checked_again(self) -> None:
        diary = Diary()
        schedule(diary).run(iter([Sleeper("a", diary, (FOR_A_PERSON,))]))
        assert "a goes on" not in diary.texts

    def test_a_watching_task_counts_as_in_flight_if_that_is_enough(self) -> None:
        diary = Diary()
        found = schedule(diary)
        found.run(
            iter([Sleeper("a", diary, (FOR_A_PERSON,)), Sleeper("b", diary, (9,), in_flight=True)]),
            leave_in_flight=True,
        )
        assert diary.clock.monotonic() == 0

    def test_a_stop_does_not_wait_for_a_watching_task(self) -> None:
        diary = Diary()
        found = schedule(diary, when=lambda: diary.clock.monotonic() >= 3)
        found.run(iter([Sleeper("a", diary, (FOR_A_PERSON,)), Sleeper("b", diary, (1,) * 9)]))
        assert "a goes on" not in diary.texts
