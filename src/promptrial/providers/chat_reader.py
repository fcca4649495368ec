"""Reading the rows of chat batches, for all providers that have them: one by one, or many together into columns."""

from __future__ import annotations

from collections.abc import Sequence

from promptrial.model import Completion
from promptrial.model.completions import CompletionColumns
from promptrial.providers.chat_rows import parse_chat_row

__all__ = ["ReadsChatRows"]


class ReadsChatRows:
    """A provider whose rows have one of the shapes of ``chat_rows``."""

    @staticmethod
    def parse_row(line: bytes) -> Completion:
        """Read one row.

        Raises
        ------
        ValueError
            If it is not one.
        """
        return parse_chat_row(line)

    @staticmethod
    def parse_rows(lines: Sequence[bytes]) -> CompletionColumns:
        """Read many rows."""
        from promptrial.providers.chat_columns import parse_chat_rows  # plan can do without it

        return parse_chat_rows(lines)
