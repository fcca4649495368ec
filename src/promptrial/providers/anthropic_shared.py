"""What both of Anthropic's adapters share: which model is asked, whether it is there, and how it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final
from urllib.parse import quote

from promptrial.config.instances import preset_instance
from promptrial.errors import NoSuchModelError
from promptrial.model import Completion, ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.anthropic_messages import check_budget, check_options, check_sampling
from promptrial.providers.anthropic_rows import parse_message_row
from promptrial.providers.anthropic_service import PRESET, VERSION_HEADER, fingerprint, version_of
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import NotFoundError
from promptrial.providers.request_rules import MESSAGES_KEYS, check_extra_body
from promptrial.providers.wire import Anything, mapping, whole_number

__all__ = ["AsksAnthropic"]

_NOT_FOUND: Final = "not_found_error"


class AsksAnthropic:
    """The methods of ``BatchProvider`` that are the same for batches and for live requests.

    Parameters
    ----------
    http : HttpClient
        Asks an ``anthropic_service``.
    """

    name: ClassVar[str]
    understands: ClassVar[frozenset[str]] = frozenset(
        {"sampling", "reasoning_effort", "thinking_budget", "cache_prompt", "extra_body"}
    )

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._version = dict(http.service.plain_headers)[VERSION_HEADER]
        self._shown: set[str] = set()

    @staticmethod
    def check_name(model: ModelSpec) -> None:
        """Refuse a thinking budget below the least that the vendor takes."""
        check_budget(model)

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str:
        """Refuse what the model or the version of the API does not take; return a sentence about what is not sent."""
        return check_sampling(model, sampling, version_of(instance))

    def context_length(self, model: ModelSpec) -> int | None:
        """Return what the model's description says, None if that is not stated."""
        path = _path(model)
        told = mapping(self._http.call("GET", path, object, what=f"look up the model {model.shown_id}"))
        return whole_number(told.get("max_input_tokens"))

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the model's name, where it is served, the version of the API, and that no seed is sent."""
        return fingerprint(model, self._http.service, self.name)

    def count_tokens(self, model: ModelSpec, text: str) -> None:
        """Return None: there is no tokenizer to ask."""

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,
        key: str,
        account: str,  # noqa: ARG004 - the Protocol's
    ) -> tuple[Instance, Mapping[str, str]]:
        """Return an instance at the emulator's address, and its key."""
        variable = instance.key or preset_instance(PRESET).key
        return replace(instance, base_url=url, key=variable, auth="x-api-key"), {variable: key}

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        """Read one row."""
        return parse_message_row(line)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _check_options(self, model: ModelSpec) -> None:
        """Refuse options that the version does not take."""
        check_extra_body(model, MESSAGES_KEYS)
        check_options(model, self._version)

    def _look_up(self, model: ModelSpec) -> None:
        """Ask for a model, which a wrong key cannot; only a clear "no such model" is believed.

        Raises
        ------
        PermanentError
            If the key is refused, or, a ``NoSuchModelError``, there is no such model.
        """
        try:
            self._http.call("GET", _path(model), Anything, what=f"look up the model {model.shown_id}")
        except NotFoundError as error:
            if error.kind == _NOT_FOUND:
                raise NoSuchModelError(
                    f"{self._http.service.vendor} has no model {model.shown_id} for this key",
                    hint="check the model's `id` in the configuration",
                ) from None
        else:
            self._shown.add(model.id)


def _path(model: ModelSpec) -> str:
    return f"/v1/models/{quote(model.id, safe='')}"
