"""What happened, as structured lines in ``run.log`` and short sentences on stderr. Secrets are taken out here.

Nothing that decides anything reads these lines back; they are for people and for ``doctor``.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from promptrial.config.environment import environment, is_secret_variable, remembered_secrets
from promptrial.errors import ConfigError
from promptrial.runtime.terminal import say_to_stderr

__all__ = ["EventLog", "Level", "Redactor", "redactor_of_errors"]

Level = Literal["debug", "info", "warning", "error"]
_RANK: Final[dict[Level, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_BEARER: Final = re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}")
_MIN_SECRET: Final = 6
_MIN_KEY: Final = 16
"""How long a secret must be to be taken out of answers, which must not change for a word that happens to be one."""


class Redactor:
    """Replaces secrets in a text: the values of environment variables named like one, and bearer tokens.

    Parameters
    ----------
    env : mapping
        The environment, ``.env`` included.
    placeholders : mapping, optional
        Value -> text with ``${VAR}``, for values of the configuration that are written down as they are in its file.
    more : iterable of str, optional
        Further secrets: those of variables that are not named like one.
    """

    def __init__(
        self, env: Mapping[str, str], placeholders: Mapping[str, str] | None = None, more: Iterable[str] = ()
    ) -> None:
        self._placeholders = {value: text for value, text in (placeholders or {}).items() if value}
        self._value = re.compile(
            "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in sorted(self._placeholders, key=len, reverse=True))
        )
        values = {value.strip() for name, value in env.items() if is_secret_variable(name)} | {*more}
        secrets = {text for value in values if len(value) >= _MIN_SECRET for text in _spellings(value)}
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._keys = [text.encode(errors="surrogateescape") for text in self._secrets if len(text) >= _MIN_KEY]

    def __call__(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        if self._placeholders:
            text = self._value.sub(lambda match: self._placeholders[match[0]], text)
        return _BEARER.sub(r"\1[redacted]", text)

    def row(self, row: bytes) -> bytes:
        """Return a row of a provider without secrets that are too long to be in an answer by chance."""
        for key in self._keys:
            if key in row:
                row = row.replace(key, b"[redacted]")
        return row

    def deep(self, value: object) -> Any:  # noqa: ANN401 - what JSON can hold
        """Return a value for JSON without secrets in any text within; what JSON does not know becomes text."""
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self(str(key)): self.deep(item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.deep(item) for item in value]
        return self(str(value))


def redactor_of_errors(env: Mapping[str, str] | None = None) -> Redactor:
    """Return what takes secrets out of an error that this process says, whichever configurations it has read.

    Without an environment, it is that of the process and of ``.env`` in the current folder; a ``.env`` that cannot be
    read has none that could have been used.
    """
    if env is None:
        try:
            env = environment(os.environ, Path.cwd())
        except (ConfigError, OSError):
            env = os.environ
    return Redactor(env, more=remembered_secrets())


def _spellings(secret: str) -> set[str]:
    """Return a secret as it is, and as it reads inside JSON or Python text, and inside JSON within JSON."""
    found = {secret, secret.replace("/", r"\/"), repr(secret)[1:-1]}
    for _ in range(2):
        found |= {json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in found for ascii_only in (True, False)}
    return found


class EventLog:
    """Where events go.

    Parameters
    ----------
    now : callable
        Returns the time as text.
    redact : Redactor
    say : callable
        Receives the sentences for people.
    level : Level
        The minimum level of what is said; everything is logged.
    sink : callable, optional
        Receives the JSON lines; set once the run's folder is there.
    listen : callable, optional
        Receives every event of that level in place of its sentence.
    """

    def __init__(
        self,
        now: Callable[[], str],
        redact: Redactor,
        say: Callable[[str], None] = say_to_stderr,
        level: Level = "info",
        sink: Callable[[bytes], None] | None = None,
        listen: Callable[[Mapping[str, object]], None] | None = None,
    ) -> None:
        self._now = now
        self._redact = redact
        self._say = say
        self._level = level
        self.sink = sink
        self._listen = listen

    def redact(self, text: str) -> str:
        """Return a text without secrets, for records that are kept elsewhere."""
        return self._redact(text)

    def redact_row(self, row: bytes) -> bytes:
        """Return a provider's row without keys, to be kept."""
        return self._redact.row(row)

    def event(self, kind: str, level: Level = "debug", text: str = "", **fields: object) -> None:
        """Log one event, and say ``text`` if its level is high enough."""
        wanted = _RANK[level] >= _RANK[self._level]
        if self.sink is not None or (self._listen is not None and wanted):
            line = {"at": self._now(), "event": kind, "level": level, **self._redact.deep(fields)}
            if text:
                line["text"] = self._redact(text)
            self._pass_on(line, wanted=wanted)
        if text and wanted and self._listen is None:
            self._say(self._redact(text))

    def _pass_on(self, line: Mapping[str, object], *, wanted: bool) -> None:
        if self.sink is not None:
            # A name that is not UTF-8 is written with JSON's own escapes.
            self.sink(json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace"))
        if self._listen is not None and wanted:
            self._listen(line)

    def say(self, text: str, **fields: object) -> None:
        """Say and log a sentence."""
        self.event("info", "info", text, **fields)

    def warn(self, text: str, **fields: object) -> None:
        """Say and log a warning."""
        self.event("warning", "warning", f"warning: {text}", **fields)
