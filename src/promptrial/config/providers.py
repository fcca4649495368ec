"""Where models are served: the entries of `providers` in the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from promptrial import registry
from promptrial.config.addresses import checked_address, checked_headers, checked_proxy
from promptrial.config.key_shapes import looks_like_key
from promptrial.config.presets import KEYS_OF, PRESETS
from promptrial.config.strict import Number, Positive, Strict, Words, is_none

__all__ = ["ProviderConfig", "known_presets"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_NAME: Final = "expected the name of an environment variable, such as OPENAI_API_KEY, not the key itself"
Seconds = Annotated[float, Field(gt=0, le=86_400), Number]


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
        raise ValueError(_NO_NAME)
    if looks_like_key(value):
        raise ValueError(
            f"{_NO_NAME}\n  next: put the key in .env, as OPENAI_API_KEY=..., and write that name here; if this is a "
            "name, separate its words with _"
        )
    return value


class ProviderConfig(Strict):
    """A server under a name of your own: an address, the variable of its key, and how much it is given at once."""

    unrecorded_defaults: ClassVar[frozenset[str]] = frozenset({"headers"})
    unrecorded: ClassVar[frozenset[str]] = frozenset(
        {"timeout_s", "connect_timeout_s", "proxy", "ca_file", "max_jobs", "max_in_flight", "wait", "quiet_s"}
    )
    """Keys that say how it is reached and not what is asked: no run records them, and they may change at a resume."""

    type: Annotated[str, AfterValidator(_type)] = Field(description="the vendor or the kind of server")
    mode: Literal["batch", "live"] | None = Field(
        None,
        exclude_if=is_none,
        description=(
            "`batch` sends jobs that run without this process, `live` sends single requests; the default is batch "
            "if the provider has batches"
        ),
    )
    base_url: Annotated[str, AfterValidator(checked_address)] | None = Field(
        None, exclude_if=is_none, description="the address of its API; by default that of its type"
    )
    key: Annotated[str, AfterValidator(_variable)] | None = Field(
        None, exclude_if=is_none, description="the variable that holds its key; by default the one of its type"
    )
    account: Words | None = Field(
        None,
        exclude_if=is_none,
        description="the account at the vendor, if its key does not identify it; by default the value of its variable",
    )
    api_version: Words | None = Field(None, exclude_if=is_none, description="anthropic: the version of its API")
    headers: Annotated[dict[str, str], AfterValidator(checked_headers)] = Field(
        {}, description="sent with each call; write a secret value as `${VAR}`"
    )
    folder: Words | None = Field(
        None,
        exclude_if=is_none,
        description="batch_file: where files of requests are written and answers are expected, relative to the folder "
        "of the configuration; by default `batch_files` in the folder of the run",
    )
    written_for: Literal["vllm", "openai", "azure", "groq"] | None = Field(
        None,
        exclude_if=is_none,
        description="batch_file: the program or vendor that processes the files; by default `vllm`",
    )
    wait: bool | None = Field(
        None,
        exclude_if=is_none,
        description=(
            "batch_file: true waits for the answers; by default, once nothing else is in flight, the run ends with "
            "exit code 5 and shows the commands to run"
        ),
    )
    quiet_s: Seconds | None = Field(
        None,
        exclude_if=is_none,
        description=(
            "batch_file: how long an incomplete file must be unchanged before it counts as finished; by default 600"
        ),
    )
    max_rows: Positive | None = Field(
        None, exclude_if=is_none, description="maximum number of requests per job; by default the vendor's limit"
    )
    max_bytes: Positive | None = Field(
        None, exclude_if=is_none, description="maximum size of a job's file of requests; by default the vendor's limit"
    )
    max_jobs: Positive | None = Field(
        None,
        exclude_if=is_none,
        description="maximum number of jobs in flight; by default `execution.max_concurrent_jobs`",
    )
    max_in_flight: Positive | None = Field(
        None,
        exclude_if=is_none,
        description="live: maximum number of requests in flight; fewer are sent if the server asks for it, or if too "
        "few files may be open",
    )
    timeout_s: Seconds | None = Field(
        None, exclude_if=is_none, description="maximum wait for the next bytes of a response"
    )
    connect_timeout_s: Seconds | None = Field(None, exclude_if=is_none, description="maximum wait for a connection")
    proxy: Annotated[str, AfterValidator(checked_proxy)] | None = Field(
        None, exclude_if=is_none, description="an HTTP proxy; by default that of the environment"
    )
    ca_file: Words | None = Field(
        None,
        exclude_if=is_none,
        description="a PEM file with the certificates to trust instead of the public ones, relative to this "
        "configuration file",
    )

    @property
    def adapter(self) -> str | None:
        """The adapter that speaks to it; None if it has no API of this mode, or the adapter does not exist."""
        found = PRESETS[self.type].adapter(self.mode)
        return found if found in registry.PROVIDERS else None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        for at, problem in self._problems():
            raise PydanticCustomError("wrong_together", "{problem}", {"problem": problem, "at": at})
        return self

    def _problems(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield what does not go with the type: the key, and what is wrong."""
        preset, adapter = PRESETS[self.type], self.adapter
        if adapter is None:
            other = "live" if self.mode == "batch" else "batch"
            yield ("mode",), f"{self.type} has no API for this mode; omit `mode`, for {other}"
            return
        known = type(self).model_fields
        taken = KEYS_OF.get(adapter, frozenset(known))
        way = f"{self.type} with `mode: {self.mode}`" if self.mode else self.type
        keys = ", ".join(name for name in known if name in taken) or "none but `type`"
        for key in known:
            if key in self.model_fields_set - {"type", "mode", *taken}:
                yield (key,), f"not a key of {way}; its keys: {keys}"
        if preset.address and self.base_url is None:
            yield (), f"{self.type} needs `base_url`, such as {preset.address}"
