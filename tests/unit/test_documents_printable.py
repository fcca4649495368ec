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


def test_each_character_of_unicode_is_escaped_if_and_only_if_it_is_obeyed() -> None:
    for code in range(0x110000):
        letter = chr(code)
        unsafe = (obeyed(letter) and letter not in "\n\t") or unicodedata.category(letter) == "Cs" or code in MARKS
        assert escaped(letter) == (f"\\u{code:04x}" if unsafe else letter)
        if unicodedata.category(letter) != "Cs":
            in_a_cell = obeyed(letter) and letter not in "\n\t"
            assert escaped_cell(letter) == (f"\\u{code:04x}" if in_a_cell else letter)


@given(ANY)
def test_escaping_is_letter_by_letter_and_done_once(text: str) -> None:
    assert escaped(text) == "".join(map(escaped, text))
    assert escaped(escaped(text)) == escaped(text)
    escaped(text).encode()


@given(st.text(st.sampled_from("a\r\n\0\x1b")))
def test_a_line_end_of_two_characters_stays_in_a_cell_and_a_return_alone_does_not(text: str) -> None:
    lines = [escaped(line) for line in text.split("\r\n")]
    assert escaped_cell(text) == "\r\n".join(lines)
