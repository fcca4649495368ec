"""Every error that promptrial raises on purpose, and the exit code that each one ends the program with.

::

    PromptrialError                 exit 1   something failed; the message says what to do next
    ├── UsageError                  exit 2   a flag or argument is wrong
    │   └── RunExistsError          exit 2   a new run would have the name of one that exists
    ├── ConfigError                 exit 2   the YAML, or a file that it names, is wrong
    │   └── ConfigProblemsError     exit 2   several things are wrong with them
    ├── DataError                   exit 2   a question file is wrong; names file and line
    ├── ResumeError                 exit 3   the run cannot be resumed
    │   ├── ConfigDriftError        exit 3   the configuration is not the one the run was started with
    │   └── NewerVersionError       exit 3   a file was made by a newer version of the program
    ├── RunLockedError              exit 4   another process holds the run
    ├── CorruptRecordError          exit 1   a file of the run is torn, garbled or of an unknown version
    ├── IllegalTransitionError      exit 1   a phase was moved to a status that cannot follow its own
    ├── PhaseBlockedError           exit 1   a selected phase needs something that an unselected one makes
    ├── PhaseFailedError            exit 1   a phase could not finish
    ├── DiskSpaceError              exit 1   the disk has no room for what a phase would write
    ├── MissingDependencyError      exit 2   an optional package is not installed
    ├── ScoreError                  exit 1   a scorer gave a score outside its declared range
    ├── OutputError                 exit 1   standard output does not take the result of a command
    ├── ReaderGoneError             exit 0   the reader of standard output has left, as `| head` does
    ├── SelfTestError               exit 1   the scorer does not recognise a refusal that a prompt mandates
    ├── OverCapError                exit 6   requests are not sent, as they may cost more than may be spent
    └── ProviderError               exit 1   a model provider said no
        ├── TransientError                   the same call may work later; this one changed nothing
        │   ├── ResultsShortError            results came to an end, and rows are missing; read them again
        │   │   ├── ResultsTornError         their last row is not whole
        │   │   └── ResultsEmptyError        a file of results is empty or missing, and should not be
        │   ├── TransferStoppedError         a stop was asked for while a file came or went
        │   ├── SlowDownError                the provider asks for fewer requests at once
        │   ├── UncertainError               it may have been carried out, and billed, though no answer came
        │   └── LoadingError                 the server is there, and loads its model
        ├── QuotaReachedError                no room for another job until one that runs has ended
        ├── UndecidedError                   several jobs may be the one that is looked for
        ├── OutcomeUnknownError              the call may have taken effect: look before it is made again
        │   └── AlreadyThereError            it was refused, because what it makes already exists
        └── PermanentError                   the same call will never work
            ├── NoSuchModelError             the vendor has no such model
            └── ResultsGoneError             answers that were paid for are no longer available

    StopRequested (BaseException)   exit 5   not an error: the run was asked to stop
    ├── ActionNeeded                exit 5   a person has to do something before it can be resumed
    │   └── CostCapReached          exit 6   what is left may cost more than may be spent
    └── Detached                    nothing is waited for; exit 130 or 143 after a second SIGINT or SIGTERM, else 5

``StopRequested`` is a ``BaseException`` so that no ``except Exception`` can mistake a stop for a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

__all__ = [
    "INTERRUPTS",
    "ActionNeeded",
    "AlreadyThereError",
    "ConfigDriftError",
    "ConfigError",
    "ConfigProblemsError",
    "CorruptRecordError",
    "CostCapReached",
    "DataError",
    "Detached",
    "DiskSpaceError",
    "IllegalTransitionError",
    "LoadingError",
    "MissingDependencyError",
    "NewerVersionError",
    "NoSuchModelError",
    "OutcomeUnknownError",
    "OutputError",
    "OverCapError",
    "PermanentError",
    "PhaseBlockedError",
    "PhaseFailedError",
    "PromptrialError",
    "ProviderError",
    "QuotaReachedError",
    "ReaderGoneError",
    "ResultsEmptyError",
    "ResultsGoneError",
    "ResultsShortError",
    "ResultsTornError",
    "ResumeError",
    "RunExistsError",
    "RunLockedError",
    "ScoreError",
    "SelfTestError",
    "SlowDownError",
    "StopRequested",
    "TransferStoppedError",
    "TransientError",
    "UncertainError",
    "UndecidedError",
    "UsageError",
    "in_one_sentence",
]


class PromptrialError(Exception):
    """Base of every error raised on purpose.

    Parameters
    ----------
    message : str
        What is wrong, with the file, line, key or id needed to act on it.
    hint : str, optional
        What to do next: usually the command to run. Printed on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  next: {self.hint}"


class UsageError(PromptrialError):
    """A flag or argument is wrong."""

    exit_code = 2


class RunExistsError(UsageError):
    """A new run would have the name of one that exists."""


class ConfigError(PromptrialError):
    """The configuration, or a file that it names, is wrong."""

    exit_code = 2


class ConfigProblemsError(ConfigError):
    """Several things are wrong with a configuration.

    Parameters
    ----------
    problems : iterable of str
        Each is whole by itself, with what to do next on a further line if there is that to say.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class DataError(PromptrialError):
    """A question file is wrong; the message starts with ``file:line:``."""

    exit_code = 2


class MissingDependencyError(PromptrialError):
    """A package that an optional feature needs is not installed."""

    exit_code = 2


class ResumeError(PromptrialError):
    """The run cannot be resumed."""

    exit_code = 3


class ConfigDriftError(ResumeError):
    """The configuration differs from the one that the run was started with."""


class NewerVersionError(ResumeError):
    """A file was made by a newer version of the program; it is whole, and is never renamed or written over."""


class RunLockedError(PromptrialError):
    """Another process holds the run's lock."""

    exit_code = 4


class CorruptRecordError(PromptrialError):
    """A file of the run is torn, garbled or of an unknown version; never read as empty."""


class IllegalTransitionError(PromptrialError):
    """A phase was moved to a status that cannot follow the one it had."""


class PhaseBlockedError(PromptrialError):
    """A selected phase needs something that an unselected phase makes."""


class PhaseFailedError(PromptrialError):
    """A phase could not finish."""


class ScoreError(PromptrialError):
    """A scorer gave a score outside the range that it declares; the scorer is wrong, not the answer."""


class OutputError(PromptrialError):
    """Standard output is closed, or does not take the result of a command."""


class ReaderGoneError(PromptrialError):
    """The reader of standard output has left, as ``| head`` does; it has what it wanted."""

    exit_code = 0


class SelfTestError(PromptrialError):
    """The scorer does not recognise a refusal that a prompt mandates."""


class OverCapError(PromptrialError):
    """Requests are not sent, as they may cost more than may be spent; the run ends with ``CostCapReached``."""

    exit_code = 6


class ProviderError(PromptrialError):
    """A model provider answered with an error."""


class TransientError(ProviderError):
    """The same call may work later, and is known to have changed nothing.

    Parameters
    ----------
    message : str
    hint : str, optional
    retry_after_s : float, optional
        How many seconds the vendor asks to wait, if it says so.
    """

    has_arrived: ClassVar[bool] = False
    """Whether the vendor has, or may have, got the call and failed at it."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class NotAskedError(TransientError):
    """A call was not made, because other calls to its provider have failed for too long."""


class ResultsShortError(TransientError):
    """Results came to an end, all rows before it were given, and some are missing that may still be there."""


class ResultsTornError(ResultsShortError):
    """Results came to the end that was announced, and that is in the middle of a row: all but that row were given."""


class ResultsEmptyError(ResultsShortError):
    """A file of results is empty or missing, although the provider says that the job has answered requests."""


class TransferStoppedError(TransientError):
    """A file that came or went was left, because a stop was asked for; not to be tried again before a resume."""


class SlowDownError(TransientError):
    """The provider asks for fewer requests at once."""


class UncertainError(TransientError):
    """The call may be made again and changes nothing, but may have been carried out, and billed, without an answer."""

    has_arrived = True


class LoadingError(TransientError):
    """The server is there, and does not answer requests before it has loaded its model."""


class QuotaReachedError(ProviderError):
    """The vendor takes no further job until one that runs has ended."""


class OutcomeUnknownError(ProviderError):
    """The call may have taken effect although no answer says so; look before it is made again."""


class FencedError(OutcomeUnknownError):
    """The call has no effect now and never will: it may be made again, as another attempt."""


class AlreadyThereError(OutcomeUnknownError):
    """What the call would make already exists: an earlier call has made it."""


class PermanentError(ProviderError):
    """The same call will never work."""


class UploadGoneError(PermanentError):
    """The call was refused because what was uploaded for it is gone. After another upload it may work."""


class NoSuchModelError(PermanentError):
    """The vendor says that it has no such model, or not for this key."""


class ResultsGoneError(PermanentError):
    """The vendor no longer has the results of a job."""


class UndecidedError(ProviderError):
    """Several jobs may be the one that is looked for; once they have ended they can be distinguished."""


class NotOursError(PermanentError):
    """A job that was taken for ours is somebody else's."""


class DiskSpaceError(PromptrialError):
    """There is not enough room on the disk for what a phase would write."""


class StopRequested(BaseException):
    """The run was asked to stop; raised where work can be left off safely.

    ``resume_command`` is the command that resumes the run, once that is known; it needs ``flags`` besides.
    """

    exit_code = 5
    resume_command = ""
    flags = ""


INTERRUPTS: Final = (KeyboardInterrupt, StopRequested)
"""What passes through the edge to code of the user's; everything else that such code raises is its own mistake."""


class ActionNeeded(StopRequested):
    """Nothing is left to wait for but what a person has to do.

    Parameters
    ----------
    message : str
        What is waited for.
    steps : iterable of str
        What to do, a command or a sentence each.
    """

    def __init__(self, message: str, steps: Iterable[str]) -> None:
        super().__init__(message)
        self.steps = tuple(steps)


class CostCapReached(ActionNeeded):
    """What is left to ask may cost more than may be spent; what was in flight is answered.

    Parameters
    ----------
    message, steps
        As of ``ActionNeeded``.
    flags : str
        What the command needs that resumes the run, with a space before it.

    Attributes
    ----------
    BEGINNING : str
        How each of these messages begins, by which the state of a run tells this end from other stops.
    """

    exit_code = 6
    BEGINNING = "the cap of "

    def __init__(self, message: str, steps: Iterable[str] = (), *, flags: str = "") -> None:
        super().__init__(message, steps)
        self.flags = flags


class Detached(StopRequested):
    """The run was asked to end without waiting for the current request.

    Parameters
    ----------
    signal_number : int or None
        The second signal, and the program ends with 128 more; None if the sentinel asked.
    """

    def __init__(self, signal_number: int | None) -> None:
        super().__init__("asked to stop immediately" if signal_number is None else "a second signal")
        if signal_number is not None:
            self.exit_code = 128 + signal_number


def in_one_sentence(error: BaseException) -> str:
    """Return what an exception that is none of ours says, on one line."""
    return " ".join(f"{type(error).__name__}: {error}".removesuffix(": ").split())
