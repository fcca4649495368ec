"""The whole message of one question of each kind in a report."""

from __future__ import annotations

from promptrial.model import Message
from promptrial.reporting.facts import MessageExample
from promptrial.reporting.messages import message_blocks

BOTH = {"control": "Why?", "treatment": "Why?"}


def shown(example: MessageExample) -> str:
    return "\n".join(message_blocks([example]))


def test_a_message_that_all_arms_share_is_shown_once_as_it_was_sent() -> None:
    assert shown(MessageExample("closed_book", "q_1", "nq", (), BOTH)) == (
        "### A question without a passage\n\n"
        "Example: question q_1 of the data set nq. After the system prompt, the model receives:\n\n"
        "User message:\n\n```text\nWhy?\n```\n"
    )


def test_a_message_that_differs_is_shown_for_each_arm() -> None:
    page = shown(MessageExample("open_book", "q", "d", (), {"control": "A", "short": "B", "long": "B"}))
    assert "User message of the control arm:\n\n```text\nA\n```" in page
    assert "User message of the short and long arms:\n\n```text\nB\n```" in page
    assert page.count("```text") == 2


def test_at_most_the_last_ten_turns_before_a_question_are_shown() -> None:
    turns = tuple(Message("assistant" if number % 2 else "user", f"turn-{number}.") for number in range(13))
    page = shown(MessageExample("closed_book", "q", "d", turns, BOTH))
    assert "After the system prompt, the model receives:\n\nThe first 3 turns" in page
    assert "The first 3 turns are omitted." in page
    assert "turn-2." not in page
    assert "Turn 4, assistant:\n\n```text\nturn-3.\n```" in page
    assert "Turn 13, user:\n\n```text\nturn-12.\n```" in page


def test_a_long_message_is_cut_in_the_middle_and_keeps_its_end() -> None:
    text = "a" * 3000 + "b" * 500 + "c" * 1000
    page = shown(MessageExample("closed_book", "q", "d", (), {"control": text}))
    assert "User message; 500 characters in the middle are omitted:" in page
    assert f"{'a' * 3000}\n[...]\n{'c' * 1000}\n```" in page
    assert "b" * 9 not in page
    whole = shown(MessageExample("closed_book", "q", "d", (), {"control": "a" * 4000}))
    assert "not shown" not in whole


def test_a_hostile_message_stays_within_its_block() -> None:
    hostile = "```\n# Title\n\x1b[2J"
    page = shown(MessageExample("closed_book", "<b>*q*", "d", (Message("user", hostile),), {"control": hostile}))
    assert "User message; unprintable characters are escaped:" in page
    assert "\x1b" not in page
    assert page.count("````text\n```\n# Title") == 2
    assert "<b>" not in page
