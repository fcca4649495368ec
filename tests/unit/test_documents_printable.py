"""Every character that a terminal obeys is shown instead, and no other text changes."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from promptrial.documents.printable import escaped, escaped_cell

ANY = st.text(st.characters(codec=None))
DIRECTION = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
MARKS = {0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF}


def obeyed(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" or ord(letter) in DIRECTION


def test_a_unicode_character_is_escaped_exactly_if_a_terminal_interprets_it() -> None:
    for code in range(0x110000):
        letter = chr(code)
        unsafe = (obeyed(letter) and letter not in "\n\t") or unicodedata.category(letter) == "Cs" or code in MARKS
        assert escaped(letter) == (f"\\u{code:04x}" if unsafe else letter)
        if unicodedata.category(letter) != "Cs":
            in_a_cell = obeyed(letter) and letter not in "\n\t"
            assert escaped_cell(letter) == (f"\\u{code:04x}" if in_a_cell else letter)


@given(ANY)
def test_escaping_is_per_character_and_idempotent(text: str) -> None:
    assert escaped(text) == "".join(map(escaped, text))
    assert escaped(escaped(text)) == escaped(text)
    escaped(text).encode()


@given(st.text(st.sampled_from("a\r\n\0\x1b")))
def test_a_cell_keeps_crlf_and_escapes_a_lone_carriage_return(text: str) -> None:
    lines = [escaped(line) for line in text.split("\r\n")]
    assert escaped_cell(text) == "\r\n".join(lines)
