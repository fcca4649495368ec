"""How ``--help`` is laid out: filled to the width of the terminal, with each flag in one spelling."""

from __future__ import annotations

import argparse
import textwrap

__all__ = ["HelpFormatter"]


class HelpFormatter(argparse.HelpFormatter):
    """Fills the paragraphs of a description one by one; one with an indented line, such as a list, stays as written.

    A flag is shown with underscores; the spelling with hyphens means the same.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(_filled(each, width, indent) for each in text.strip().split("\n\n"))

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        short = [name for name in action.option_strings if not name.startswith("--")]
        full = [name for name in action.option_strings if name.startswith("--")]
        value = "" if action.nargs == 0 else f" {self._format_args(action, action.dest.upper())}"
        return ", ".join([*short, *full[:1]]) + value


def _filled(paragraph: str, width: int, indent: str) -> str:
    lines = paragraph.splitlines()
    if any(line.startswith("  ") for line in lines):
        return "\n".join(indent + line for line in lines)
    return textwrap.fill(" ".join(lines), width, initial_indent=indent, subsequent_indent=indent)
