"""Where models are served: the entries of `providers` in the configuration."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field

from promptrial import registry
from promptrial.config.presets import PRESETS
from promptrial.config.strict import Number, Positive, Strict, Words, is_none

__all__ = ["ProviderConfig", "known_presets"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
Seconds = Annotated[float, Field(gt=0), Number]


def known_presets() -> dict[str, str]:
    """Return the types that an entry may have, and what each is called."""
    return {
        name: preset.label
        for name, preset in PRESETS.items()
        if {preset.batch, preset.live} & registry.PROVIDERS.keys()
    }


def _type(value: str) -> str:
    known = known_presets()
    if value not in known:
        raise ValueError(f"unknown type of provider {value!r}{registry.near_misses(value, known)}")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(
            "expected the name of a variable of the environment, such as OPENAI_API_KEY, and no key itself"
        )
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"the value of {name!r} holds characters that no header has")
    return value


class ProviderConfig(Strict):
    """A server under a name of your own: an address, the variable of its key, and how much it is given at once."""

    unrecorded: ClassVar[frozenset[str]] = frozenset(
        {"timeout_s", "connect_timeout_s", "proxy", "ca_file", "max_jobs", "max_in_flight", "wait", "quiet_s"}
    )
    """Keys that say how it is reached and not what is asked: no run records them, and they may change at a resume."""

    type: Annotated[str, AfterValidator(_type)] = Field(description="the vendor or the kind of server")
    mode: Literal["batch", "live"] | None = Field(
        None,
        exclude_if=is_none,
        description="`batch` sends jobs that run on without this process, `live` one request after the other; by "
        "default batches where there are some",
    )
    base_url: Words | None = Field(
        None, exclude_if=is_none, description="the address of its API; by default the one of its type"
    )
    key: Annotated[str, AfterValidator(_variable)] | None = Field(
        None, exclude_if=is_none, description="the variable that holds its key; by default the one of its type"
    )
    account: Words | None = Field(
        None,
        exclude_if=is_none,
        description="the account at the vendor, where its key does not tell; by default what its variable says",
    )
    api_version: Words | None = Field(None, exclude_if=is_none, description="anthropic: the version of its API")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        {}, exclude_if=lambda value: not value, description="sent with each call; a secret value is written `${VAR}`"
    )
    folder: Words | None = Field(
        None,
        exclude_if=is_none,
        description="batch_file: where files of requests are written and answers are awaited, relative to where you "
        "run; by default `batch_files` in the folder of the run",
    )
    written_for: Literal["vllm", "openai", "azure", "groq"] | None = Field(
        None, exclude_if=is_none, description="batch_file: who takes the files; by default `vllm`"
    )
    wait: bool | None = Field(
        None,
        exclude_if=is_none,
        description="batch_file: true waits for the answers; by default the run ends with exit code 5 and the commands "
        "to run once nothing else is in flight",
    )
    quiet_s: Seconds | None = Field(
        None,
        exclude_if=is_none,
        description="batch_file: how long a file that lacks answers must not have changed before it counts as "
        "finished; by default 600",
    )
    max_rows: Positive | None = Field(
        None, exclude_if=is_none, description="the most requests of a job; by default what the vendor takes"
    )
    max_bytes: Positive | None = Field(
        None, exclude_if=is_none, description="the largest file of requests of a job; by default what the vendor takes"
    )
    max_jobs: Positive | None = Field(
        None, exclude_if=is_none, description="jobs at once; by default `execution.max_concurrent_jobs`"
    )
    max_in_flight: Positive | None = Field(
        None, exclude_if=is_none, description="live: the most requests at once; fewer are sent where it asks for that"
    )
    timeout_s: Seconds | None = Field(
        None, exclude_if=is_none, description="the longest wait for the next bytes of an answer"
    )
    connect_timeout_s: Seconds | None = Field(None, exclude_if=is_none, description="the longest wait for a connection")
    proxy: Words | None = Field(
        None, exclude_if=is_none, description="an HTTP proxy; by default what the environment says"
    )
    ca_file: Words | None = Field(
        None, exclude_if=is_none, description="a PEM file with the certificates to trust instead of the public ones"
    )
