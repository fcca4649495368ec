"""Any server with ``/chat/completions``, asked request by request: vLLM, llama.cpp, Ollama, OpenAI's own, and others.

What kinds of servers take and tell is in ``chat_servers``, the rows in ``chat_replies``, what an HTTP outcome means in
``http``. Nothing is repeated here, and nothing waits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Self

import msgspec

from promptrial.errors import (
    NoSuchModelError,
    PermanentError,
    ProviderError,
    TransientError,
    UncertainError,
)
from promptrial.model import ModelSpec, Sampling
from promptrial.model.instances import Instance
from promptrial.providers.access import service_of, timeouts_of
from promptrial.providers.base import JobRef, PartPayload
from promptrial.providers.capabilities import Shown
from promptrial.providers.chat_reader import ReadsChatRows
from promptrial.providers.chat_replies import ChatReply, answer_of
from promptrial.providers.chat_servers import KINDS, ServerFacts, facts_of, require_loaded
from promptrial.providers.http import HttpClient
from promptrial.providers.http_outcomes import Call, NotFoundError, RejectedError, printable
from promptrial.providers.live import (
    ANSWER,
    IN_FLIGHT,
    NAME_HEADER,
    PATIENT,
    REFUSED_ALONE,
    AnswersDirectly,
    LiveAnswer,
    answers_in_turn,
    error_row,
)
from promptrial.providers.model_lists import ServedModel, is_called, served_models, window_of
from promptrial.providers.openai_models import check_model, check_sampling
from promptrial.providers.openai_rows import RowShape, openai_body
from promptrial.providers.reply_failures import FailedReplyError
from promptrial.providers.request_rows import RequestRow
from promptrial.providers.request_rules import CHAT_KEYS, check_extra_body

__all__ = ["OpenAICompatibleProvider"]

_PARAMETER: Final = frozenset({"unsupported_parameter", "unsupported_value", "unknown_parameter", "invalid_parameter"})
_OVERFLOW: Final = re.compile(
    r"context[ _](length|size|window)|maximum context|max_model_len|too many tokens", re.IGNORECASE
)
_NOT_TAKEN: Final = re.compile(
    r"extra_forbidden|extra (inputs?|fields?) (are|is|was|were) not|"
    r"(unrecognized|unknown|unexpected|unsupported) (request |keyword )?(argument|parameter|field|property|value|name)|"
    r"\b(temperature|top_p|top_k|seed|min_p|repeat_penalty|repetition_penalty|reasoning_effort)\b.{0,60}"
    r"(not (supported|permitted|allowed)|unsupported|unknown)",
    re.IGNORECASE,
)
"""What servers say about a parameter that they do not take: they say it of every request."""
_NO_MODEL: Final = re.compile(
    r"model_not_found|not a valid model|model\b.{0,200}\b(does not exist|not found)", re.IGNORECASE
)
_FLAGGED: Final = re.compile(r"moderation|\bflagged\b|content[ _](policy|filter)", re.IGNORECASE)
"""A 403 of OpenRouter's that is about what a request holds, and not about the key."""
_SHOWN: Final = 8
"""Names of served models in a message."""


class _Tokens(msgspec.Struct):
    tokens: list[Any]


class OpenAICompatibleProvider(ReadsChatRows, AnswersDirectly):
    """One server or vendor. May be used by several threads.

    Parameters
    ----------
    instance : Instance
    env : mapping
        Where its key is looked up.
    """

    name: ClassVar[str] = "openai_compatible"
    local: ClassVar[bool] = False
    understands: ClassVar[frozenset[str]] = frozenset({"sampling", "reasoning_effort", "extra_body"})

    def __init__(self, instance: Instance, env: Mapping[str, str]) -> None:
        service, times = service_of(instance, env), timeouts_of(instance, PATIENT)
        self._instance = instance
        self._http = HttpClient(service, times, many=True)
        self._root = HttpClient(replace(service, base_url=service.base_url.removesuffix("/v1")), times)
        self._kind = instance.option("server")
        self._facts: dict[str, ServerFacts] = {}
        self._served: list[ServedModel] | None = None

    @classmethod
    def open(cls, env: Mapping[str, str], instance: Instance | None = None) -> Self:
        """Return an adapter for an instance. Makes no call.

        Raises
        ------
        ConfigError
            If it has no address, or its key is missing.
        """
        return cls(instance or Instance(cls.name, cls.name, "the server"), env)

    def check(self, model: ModelSpec) -> None:
        """Refuse what no server answers as it is meant here; then find out whether this one is ready and has the model.

        The list of models is believed of a server on one's own machine, or of a kind that is known to list what it
        serves; elsewhere the first answer tells.

        Raises
        ------
        ConfigError
            If ``extra_body`` holds a key that has a place of its own.
        LoadingError
            If the server is still loading its model.
        PermanentError
            If the key is wrong, or the model is not served: names those that are.
        """
        check_extra_body(model, CHAT_KEYS)
        require_loaded(self._root, self._kind)
        served = self._models()
        names = [each.id for each in served]
        believed = self._kind in KINDS or self._http.service.is_here
        if believed and names and not any(is_called(name, model.id) for name in names):
            raise self._no_such_model(model)

    def shown(self, model: ModelSpec) -> Shown:
        """Return whether the server lists the model, and whether that list needs a key.

        What is not listed may be there, where the list is not believed.
        """
        served = self._models()
        is_listed = any(is_called(each.id, model.id) for each in served)
        needs_key = self._instance.option("models") == "with_key"
        return Shown(key=bool(served) and needs_key, model=is_listed or None)

    def fingerprint(self, model: ModelSpec) -> dict[str, str | int | float | bool]:
        """Return the adapter, host and model and, of a kind of server that tells, its version and the model's digest.

        Raises
        ------
        LoadingError
            If the server is still loading its model.
        TransientError
            If it cannot be asked.
        """
        return {
            "provider": self.name,
            "api": self._http.service.place,
            "model": model.shown_id,
            **self._facts_of(model).known,
        }

    def count_tokens(self, model: ModelSpec, text: str) -> int | None:  # noqa: ARG002 - the Protocol's
        """Return how many tokens llama.cpp makes of a text; None of other servers."""
        if self._kind != "llamacpp":
            return None
        try:
            return len(
                self._root.call("POST", "/tokenize", _Tokens, what="count tokens", body={"content": text}).tokens
            )
        except ProviderError:  # a number for people, which nothing depends on
            return None

    def context_length(self, model: ModelSpec) -> int | None:
        """Return what the server's list of models, or llama.cpp itself, says about the model."""
        return window_of(self._models(), model.id) or self._facts_of(model).window

    @property
    def in_flight(self) -> int:
        """The most requests at once: of llama.cpp two for each slot, so that none is ever idle."""
        slots = min((facts.slots for facts in self._facts.values() if facts.slots), default=None)
        return self._instance.limits.in_flight or (2 * slots if slots else IN_FLIGHT)

    def answer(self, request: RequestRow, model: ModelSpec) -> LiveAnswer:
        """Answer one request, with one call; see ``live.LiveProvider``."""
        facts = self._facts.get(model.id, ServerFacts({}))
        body, named = self._body(request, model), {NAME_HEADER: request.custom_id}
        try:
            reply = self._http.call("POST", "/chat/completions", ChatReply, what=ANSWER, body=body, headers=named)
            return answer_of(reply, request, model, facts.window, self._larger)
        except RejectedError as error:
            return LiveAnswer(self._refused(error, request, model, facts))
        except FailedReplyError as error:
            raise error.kind(self._could_not_answer(str(error)), hint=error.hint) from error
        except ValueError as error:  # it was answered, and so was billed
            raise UncertainError(self._could_not_answer(str(error))) from error

    def results(self, job: JobRef, payload: PartPayload) -> Iterator[bytes]:  # noqa: ARG002 - the Protocol's
        """Ask for the answers one after the other; may be closed between any two."""
        return answers_in_turn(self, payload)

    @staticmethod
    def emulated(
        instance: Instance,
        url: str,
        key: str,
        account: str,  # noqa: ARG004 - the Protocol's
    ) -> tuple[Instance, Mapping[str, str]]:
        """Return the instance at the emulator's live endpoints, which tell nothing of a kind of server."""
        variable = instance.key or "EMULATOR_API_KEY"
        options = tuple((name, value) for name, value in instance.options if name != "server")
        return replace(instance, base_url=f"{url}/v1", key=variable, auth="bearer", options=options), {variable: key}

    @staticmethod
    def check_sampling(model: ModelSpec, sampling: Sampling, instance: Instance) -> str | None:
        """Refuse what the server does not take; return a sentence about what is not sent."""
        check_extra_body(model, CHAT_KEYS)
        kind = KINDS.get(instance.option("server"))
        if kind is not None and not kind.top_k:
            instance = replace(instance, options=(*instance.options, ("top_k", "refused")))
        elif instance.option("top_k") == "refused":  # a vendor whose models are known by their names
            check_model(model)
        return check_sampling(model, sampling, instance)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()
        self._root.close()

    def _could_not_answer(self, problem: str) -> str:
        return Call(self._http.service, ANSWER).text(problem)

    # --- what is sent --------------------------------------------------------------------------------------------

    def _body(self, request: RequestRow, model: ModelSpec) -> dict[str, Any]:
        kind, shape = KINDS.get(self._kind), RowShape.of(self._instance)
        own = kind.neutral if kind is not None and model.options.sampling == "explicit" else {}
        if kind is not None and not kind.top_k:
            shape = replace(shape, top_k=False)
        return {"stream": False, **own, **openai_body(request, model, shape)}

    # --- what the server tells -----------------------------------------------------------------------------------

    @property
    def _larger(self) -> str:
        kind = KINDS.get(self._kind)
        return "give the server a larger context window" if kind is None else kind.larger

    def _facts_of(self, model: ModelSpec) -> ServerFacts:
        if model.id not in self._facts:
            self._facts[model.id] = self._asked_facts(model) if self._kind in KINDS else ServerFacts({})
        return self._facts[model.id]

    def _asked_facts(self, model: ModelSpec) -> ServerFacts:
        try:
            require_loaded(self._root, self._kind)
            return facts_of(self._root, self._kind, model.id, window_of(self._models(), model.id))
        except TransientError as error:
            raise self._not_there(error) from error

    def _not_there(self, error: TransientError) -> TransientError:
        """Return the error with what to do if the server does not run."""
        if "no connection" not in error.message:
            return error
        where = f"providers: {{{self._instance.name}: {{type: {self._kind}, base_url: ...}}}}"
        hint = f"start it ({KINDS[self._kind].start}), or give its address: `{where}`, or `--base_url` of `try`"
        return type(error)(f"{error.message} at {self._http.service.place}", hint=hint)

    def _models(self) -> list[ServedModel]:
        """Return the models that the server lists; none if it has no such list."""
        if self._served is None:
            try:
                self._served = served_models(self._http.call("GET", "/models", object, what="list its models"))
            except RejectedError as error:
                if error.status in {401, 403}:
                    raise
                self._served = []
        return self._served

    def _no_such_model(self, model: ModelSpec, said: str = "") -> PermanentError:
        try:
            names = [printable(each.short_name) for each in self._models()]
        except ProviderError:
            names = []
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        served = f"; it serves: {', '.join(names[:_SHOWN])}{more}" if names else ""
        what = f"{self._instance.label} at {self._http.service.place} does not serve {model.shown_id!r}"
        return NoSuchModelError(
            what + (f" ({said})" if said else "") + served,
            hint=f"name one of them: {self._instance.name}/{names[0]}" if names else f"correct models.{model.alias}.id",
        )

    # --- what it refuses -----------------------------------------------------------------------------------------

    def _refused(self, error: RejectedError, request: RequestRow, model: ModelSpec, facts: ServerFacts) -> bytes:
        """Return the row of a request that was refused for what it holds.

        Raises
        ------
        PermanentError
            If every request would be refused.
        """
        said = f"{error.code} {error.detail}"
        if isinstance(error, NotFoundError) or (error.status in REFUSED_ALONE and _NO_MODEL.search(said)):
            raise self._no_such_model(model, f"HTTP {error.status}: {error.detail}") from error
        if error.code in _PARAMETER or (error.status in {400, 422} and _NOT_TAKEN.search(said)):
            raise PermanentError(
                error.message,
                hint=f"if the model rejects this parameter, set models.{model.alias}.sampling: provider_default, or "
                "correct `extra_body`",
            ) from error
        if error.status not in REFUSED_ALONE and not (error.status == 403 and _FLAGGED.search(said)):
            raise error
        if _OVERFLOW.search(said):
            window = f"; the context window has {facts.window}" if facts.window else ""
            limit = f"the answer may have {request.body.max_tokens} tokens{window}"
            text = f"{error.detail}; {limit}; {self._larger}"
            return error_row(request.custom_id, "context_length_exceeded", text)
        code = error.code if error.code and error.code != str(error.status) else f"http_{error.status}"
        return error_row(request.custom_id, code, error.detail)
