"""What an emulator can be told: values only, light enough for the command line to import. Nothing is started here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = [
    "RESPONDERS",
    "AnthropicSettings",
    "ClockMode",
    "EmulatorSettings",
    "JobNames",
    "OpenAiSettings",
    "Overflow",
    "Samplers",
    "Tokenizer",
    "UnsupportedModel",
]

ClockMode = Literal["step", "manual"]
UnsupportedModel = Literal["pending", "invalid", "not_found"]
JobNames = Literal["client", "vendor"]
Samplers = Literal["rows", "batch"]
Overflow = Literal["refuse", "truncate"]
Tokenizer = Literal["words", "smollm2"]

RESPONDERS: Final[dict[str, str]] = {
    "echo": "promptrial_emulator.responders.echo:EchoResponder",
    "oracle": "promptrial_emulator.responders.oracle:OracleResponder",
    "embedded": "promptrial_emulator.responders.embedded:EmbeddedResponder",
}
"""Who answers the rows: name -> ``module:attribute``, imported when the first job needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicSettings:
    """How the Anthropic API of an emulator behaves.

    Attributes
    ----------
    samplers : {"rows", "batch"}
        What sampler fields are under a version that lacks them: errors of their rows, or a reason to refuse the whole
        batch.
    rows_cap, body_cap : int
        The most requests, and the most bytes of body, that one batch may have.
    queued_rows : int, optional
        How many requests of batches may wait for their answers at once.
    one_sampler : frozenset of str
        Models that take ``temperature`` or ``top_p`` and not both, as newer ones do.
    latency_s : float
        How long a live answer takes, in real seconds.
    """

    samplers: Samplers = "rows"
    rows_cap: int = 100_000
    body_cap: int = 256_000_000
    queued_rows: int | None = None
    one_sampler: frozenset[str] = frozenset()
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAiSettings:
    """How the OpenAI API of an emulator behaves.

    Attributes
    ----------
    rows, file_bytes : int
        The most rows and bytes that the input file of a batch may have.
    processing_s : float
        How long an uploaded file is ``pending`` and of no use to a batch, as at Azure, in virtual seconds.
    enqueued_tokens : int, optional
        How many prompt tokens of one model may be in batches that have not ended; a batch above that fails.
    fixed_sampling : frozenset of str
        Models that refuse ``temperature`` (but 1), ``top_p`` and ``max_tokens``, as reasoning models do.
    strict : bool
        Whether live calls, as batches always do, refuse parameters that OpenAI does not know; other servers take them.
    context_tokens : int, optional
        The most prompt tokens of a request; of one that has more ``overflow`` says what becomes.
    overflow : {"refuse", "truncate"}
        An error, or an answer to the last tokens alone, which only ``usage.prompt_tokens`` shows.
    gzip : bool
        Whether files are sent compressed to clients that accept it.
    latency_s : float
        How long a live answer takes, in real seconds.
    """

    rows: int = 50_000
    file_bytes: int = 200_000_000
    processing_s: float = 0.0
    enqueued_tokens: int | None = None
    fixed_sampling: frozenset[str] = frozenset()
    strict: bool = False
    context_tokens: int | None = None
    overflow: Overflow = "refuse"
    gzip: bool = False
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """How an emulator behaves.

    Attributes
    ----------
    port : int
        0 picks a free one.
    key, account : str
        The only key that is let in, and the account that it belongs to.
    responder : str
        A name of ``RESPONDERS``.
    questions : Path, optional
        The folder with ``open_book.jsonl`` and ``closed_book.jsonl`` that the oracle reads; it need not exist before
        the first job is answered.
    accuracy, abstention, effect : float
        Of the oracle: the share of right answers and of abstentions, and what is added to accuracy for
        every arm but control.
    effects : tuple of (str, float)
        Of the oracle: arms and what is added to accuracy for each of them, in place of ``effect``.
    judge_error, judge_invalid : float
        Of the emulated judge: the share of wrong verdicts (of pairs, those where it prefers what it reads first), and
        of first replies that are no JSON.
    judge_obeys : bool
        Whether the emulated judge gives the score that an answer tells it to give.
    seed : int
        Another seed gives other answers.
    tokenizer : {"words", "smollm2"}
        What counts the tokens that are billed: every word is one, or the tokenizer of the embedded model SmolLM2 says.
    clock : {"step", "manual"}
        Whether API calls move the virtual clock on, or only ``POST /__emu/clock``.
    clock_step_s : float
        How far each API call moves it, in seconds.
    stage_s : float
        How long a job stays in each of its states, in virtual seconds.
    ready_s : float
        How long after its upload a data set is READY, in virtual seconds.
    quota : int, optional
        How many jobs may be in work at once.
    models : frozenset of str, optional
        The models that are supported; None supports every well-formed name.
    unsupported : {"pending", "invalid", "not_found"}
        What happens to a job of any other model: it waits forever, or is refused with 400 or 404.
    upload_cap : int
        The most bytes that one multipart upload may have.
    expired_status : {400, 403}
        With what a signed URL that is too old is answered.
    job_names : {"client", "vendor"}
        Who names jobs and their output data sets. With "vendor" the names that a client asks for are ignored.
    patience_s : float
        For how many real seconds a call waits for rows that its job has to show now; a job whose rows take longer
        stays RUNNING meanwhile.
    anthropic : AnthropicSettings
        What concerns the Anthropic API alone.
    openai : OpenAiSettings
        What concerns the OpenAI API alone.
    """

    port: int = 0
    key: str = "emulator-key"
    account: str = "emulator"
    responder: str = "echo"
    questions: Path | None = None
    accuracy: float = 0.7
    abstention: float = 0.1
    effect: float = 0.0
    effects: tuple[tuple[str, float], ...] = ()
    judge_error: float = 0.1
    judge_invalid: float = 0.0
    judge_obeys: bool = False
    seed: int = 0
    tokenizer: Tokenizer = "words"
    clock: ClockMode = "step"
    clock_step_s: float = 15.0
    stage_s: float = 15.0
    ready_s: float = 10.0
    quota: int | None = None
    models: frozenset[str] | None = None
    unsupported: UnsupportedModel = "pending"
    upload_cap: int = 150_000_000
    expired_status: Literal[400, 403] = 400
    job_names: JobNames = "client"
    patience_s: float = 10.0
    anthropic: AnthropicSettings = AnthropicSettings()
    openai: OpenAiSettings = OpenAiSettings()
