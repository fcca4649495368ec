"""The log and the messages: structured, in order, and without a secret."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from promptrial.runtime.events import EventLog, Redactor
from promptrial.runtime.terminal import say_to_stderr

PLAIN = "sk-abcdef-123456"
NASTY = 'p"w\\d\n\t é/ß{}'  # what JSON escapes, each in its way
ENV = {
    "VENDOR_API_KEY": PLAIN,
    "HUB_TOKEN": "hf_abc.DEF",
    "DB_PASSWORD": NASTY,
    "my_secret": "hush-hush",
    "SHORT_KEY": "abc",
    "HOME": "/home/someone",
    "KEYBOARD": "not-secret-at-all",
}


class Log:
    """An event log whose lines and sentences are kept."""

    def __init__(self, env: dict[str, str] | None = None, level: Any = "info") -> None:
        self.raw: list[bytes] = []
        self.said: list[str] = []
        self.events = EventLog(lambda: "T", Redactor(env or ENV), self.said.append, level, self.raw.append)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]


def test_a_key_is_removed_from_a_row_and_a_short_secret_that_may_be_a_word_is_not() -> None:
    key = "fw_0123456789/abcdef"
    redact = Redactor({"A_KEY": key, "B_PASSWORD": "Paris, France"})
    row = json.dumps({"content": f"Paris, France {key}", "error": json.dumps({"k": key})}).encode()
    assert json.loads(redact.row(row)) == {
        "content": "Paris, France [redacted]",
        "error": '{"k": "[redacted]"}',
    }
    assert key.encode() not in redact.row(row.replace(b"/", rb"\/"))
    assert b"9\\/" not in redact.row(row.replace(b"/", rb"\/"))
    assert redact.row(b'{"content":"Paris, France"}') == b'{"content":"Paris, France"}'


def test_a_value_from_the_environment_is_shown_as_its_placeholder() -> None:
    redact = Redactor({}, {"data/north.jsonl": "${FOLDER}/north.jsonl", "north": "${WHERE}", "": "${NOTHING}"})
    assert redact("config/data/north.jsonl is gone") == "config/${FOLDER}/north.jsonl is gone"
    assert redact("north: northern, north") == "${WHERE}: northern, ${WHERE}"


# --- redaction ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [PLAIN, "hf_abc.DEF", NASTY, "hush-hush"])
def test_a_secret_of_the_environment_is_removed_everywhere(secret: str) -> None:
    assert Redactor(ENV)(f"a{secret}b {secret}") == "a[redacted]b [redacted]"


def test_short_values_and_values_not_named_like_a_secret_are_kept() -> None:
    assert Redactor(ENV)("abc /home/someone not-secret-at-all") == "abc /home/someone not-secret-at-all"


def test_a_secret_that_starts_like_another_is_removed_completely() -> None:
    redact = Redactor({"A_KEY": "secret-1", "B_KEY": "secret-1-long"})
    assert redact("secret-1-long secret-1") == "[redacted] [redacted]"


def test_white_space_around_a_variable_is_not_part_of_the_secret() -> None:
    assert Redactor({"A_KEY": f" {PLAIN}\n"})(f"key={PLAIN}!") == "key=[redacted]!"


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer eyJhbGciOi.J9-_~+/x==", "authorization: bearer ABCDEFGH123", "BEARER   tok_12345678",
     '{"Authorization": "Bearer eyJhbGciOi.J9"}', "{'Authorization': 'Bearer eyJhbGciOi.J9'}"],
)  # fmt: skip
def test_an_undeclared_bearer_token_is_removed(text: str) -> None:
    redacted = Redactor({})(text)
    assert "[redacted]" in redacted
    for token in ("eyJ", "ABCDEFGH", "tok_"):
        assert token not in redacted


def test_the_word_bearer_in_plain_text_is_not_a_token() -> None:
    assert Redactor({})("the bearer of bad news") == "the bearer of bad news"


@pytest.mark.parametrize("secret", [PLAIN, NASTY, "hush-hush"])
@pytest.mark.parametrize(
    "wrap",
    [
        str,
        repr,
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: json.dumps(json.dumps({"k": text})),
        lambda text: json.dumps({"k": repr(text)}),
    ],
)
def test_an_escaped_secret_is_removed_too(secret: str, wrap: Any) -> None:
    text = wrap(secret)
    redacted = Redactor(ENV)(f"server said: {text}")
    assert "[redacted]" in redacted
    for piece in (secret, secret[2:8], json.dumps(secret)[1:-1]):
        assert piece not in redacted


def test_no_log_line_and_no_sentence_contains_a_secret() -> None:
    log = Log()
    log.events.event(
        "error", "error", f"failed with {NASTY}",
        error=f"401: Bearer tok_12345678 {PLAIN}", nested={"a": [NASTY, {"b": (PLAIN, 3)}], NASTY: 1},
        path=Path(PLAIN), number=5, none=None, yes=True, nan=float("nan"), cause=ValueError(NASTY),
    )  # fmt: skip
    (line,) = log.lines
    assert line == {
        "at": "T",
        "event": "error",
        "level": "error",
        "error": "401: Bearer [redacted] [redacted]",
        "nested": {"a": ["[redacted]", {"b": ["[redacted]", 3]}], "[redacted]": 1},
        "path": "[redacted]",
        "number": 5,
        "none": None,
        "yes": True,
        "nan": None,
        "cause": "[redacted]",
        "text": "failed with [redacted]",
    }
    assert log.said == ["failed with [redacted]"]


def test_a_secret_of_digits_does_not_break_a_line() -> None:
    log = Log({"DB_PASSWORD": "123456"})
    log.events.event("x", rows=91234567, text_field="pw 123456")
    assert log.lines == [{"at": "T", "event": "x", "level": "debug", "rows": 91234567, "text_field": "pw [redacted]"}]


# --- lines and sentences --------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object_in_utf8() -> None:
    log = Log()
    log.events.event("x", text="é\n\u2028", detail="ünï")
    assert b"\n" not in log.raw[0]
    assert "ünï".encode() in log.raw[0]
    assert log.lines[0]["text"] == "é\n\u2028"


def test_text_that_is_not_utf8_is_logged_anyway() -> None:
    log = Log()
    log.events.event("x", text="bad \udcff name", path=Path("a\udc80"))
    assert log.lines[0]["text"] == "bad \udcff name"


@pytest.mark.parametrize(
    ("level", "said"),
    [("debug", ["d", "i", "w", "e"]), ("info", ["i", "w", "e"]), ("warning", ["w", "e"]), ("error", ["e"])],
)
def test_the_level_decides_what_is_shown_and_never_what_is_logged(level: str, said: list[str]) -> None:
    log = Log(level=level)
    for name in ("debug", "info", "warning", "error"):
        log.events.event("x", name, name[0])
    assert log.said == said
    assert [line["level"] for line in log.lines] == ["debug", "info", "warning", "error"]


def test_an_event_without_text_is_logged_and_not_shown() -> None:
    log = Log(level="debug")
    log.events.event("gate", phase="parse")
    assert log.said == []
    assert log.lines == [{"at": "T", "event": "gate", "level": "debug", "phase": "parse"}]


def test_warnings_are_marked() -> None:
    log = Log()
    log.events.warn("torn", part="p1")
    log.events.say("fine")
    assert log.said == ["warning: torn", "fine"]
    assert [line["event"] for line in log.lines] == ["warning", "info"]
    assert log.lines[0]["part"] == "p1"


def test_before_the_folder_exists_sentences_are_shown_and_nothing_is_logged() -> None:
    said: list[str] = []
    events = EventLog(lambda: "T", Redactor({}), said.append)
    events.say("hello")
    assert said == ["hello"]


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("closed")])
def test_a_failing_stderr_does_not_fail_the_program(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    tried: list[str] = []

    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            tried.append(text)
            raise error

    monkeypatch.setattr(sys, "stderr", Broken())
    say_to_stderr("x")
    assert tried == ["x\n"]


def test_a_sentence_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say_to_stderr("hello")
    assert capsys.readouterr() == ("", "hello\n")
