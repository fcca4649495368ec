"""Whatever text a report is given, a CommonMark parser reads it back as that text, in its place and as nothing else."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from promptrial.reporting.cells import Table
from promptrial.reporting.markup import bullets, fenced, inline, line, table_block
from promptrial.reporting.plain import one_line, printable, summary_text

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = st.text(
    st.one_of(
        st.sampled_from(list("|\\`*_[]()<>!#&~$:;=+-.'\"/@ \n\r\t\x0b\x1b\x85\u2028\u202e0123456789wabT")),
        st.characters(exclude_categories=()),
    ),
    max_size=40,
)
ATTACKS = [
    "a | b",
    "\\|",
    "\\\\|",
    "trailing \\",
    "`code | span`",
    "<script>alert(1)</script>",
    "<!-- comment",
    "[text](javascript:alert(1))",
    "![image](http://host/x.png)",
    "https://host.example/path",
    "<https://host.example>",
    "line\nnext | row |\n|---|",
    "&lt;b&gt; &amp; &#124;",
    "**bold** _em_ ~~gone~~ $x$",
    "# heading",
    "1. list",
    "- list",
    "[ref]: http://host",
    "```",
    "===",
]
TEXT = HOSTILE | st.sampled_from(ATTACKS)


def text_of(token: Token) -> str:
    """Return what an inline token shows, and fail if it holds anything but text."""
    children = token.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, [child.type for child in children]
    return "".join(child.content for child in children)


def shown(text: str) -> str:
    """Return a text as a parser shows it: CommonMark replaces NUL and trims lines, and nothing else may differ."""
    return one_line(text)


@given(TEXT)
def test_a_line_of_any_text_is_one_paragraph_of_that_text(text: str) -> None:
    tokens = PARSER.parse(line(text))

    if not shown(text):
        assert tokens == []
        return
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert text_of(tokens[1]) == shown(text)


@given(st.lists(TEXT.filter(lambda text: bool(shown(text))), min_size=1, max_size=4))
def test_a_list_has_one_item_per_text(texts: list[str]) -> None:
    tokens = PARSER.parse(bullets(texts))

    assert [text_of(token) for token in tokens if token.type == "inline"] == [shown(text) for text in texts]
    assert {token.type for token in tokens if token.nesting == 1} == {
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
    }


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=4), TEXT.filter(lambda text: bool(shown(text))))
@example([("a|b", "\\", "\\|")], "t")
def test_no_cell_breaks_out_of_its_table(rows: list[tuple[str, str, str]], title: str) -> None:
    table = Table(title, ("A", "B", "C"), tuple(rows), (), "lrl")
    page = table_block(table)
    tokens = PARSER.parse(page)

    cells = [text_of(tokens[place + 1]) for place, token in enumerate(tokens) if token.type == "td_open"]
    assert cells == [shown(cell) for row in rows for cell in row]
    assert [token.type for token in tokens if token.type.endswith("_open") and token.level == 0] == [
        "heading_open",
        "table_open",
    ]
    assert text_of(tokens[1]) == shown(title)
    lines = page.splitlines()
    assert len(lines) == len(rows) + 4
    assert {text.count("|") for text in lines[2:]} == {4}


@given(st.lists(TEXT, max_size=6).map("\n".join) | st.integers(1, 12).map(lambda n: "`" * n))
@example("```\n````\n</pre>")
@example("~~~\n")
@example("")
def test_a_fenced_text_is_one_code_block_with_all_its_lines(text: str) -> None:
    tokens = PARSER.parse(fenced(text) + "\nafter\n")

    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    kept = printable(text)
    assert tokens[0].content == (kept if kept.endswith("\n") else kept + "\n")


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_a_plain_table_has_one_line_per_row_and_no_control_characters(rows: list[tuple[str, str]]) -> None:
    page = summary_text(Table("t", ("A", "B"), tuple(rows), (), "lr"))

    assert page.count("\n") == len(rows) + 4
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
    page.encode()


@given(TEXT)
def test_escaping_leaves_nothing_that_a_renderer_of_bare_addresses_would_link(text: str) -> None:
    assert not re.search(r"(?<!\\)://|www\.", inline(text), re.IGNORECASE)
