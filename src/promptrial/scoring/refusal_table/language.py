"""The shape of what is known about the refusals of one language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Language"]


class Language(NamedTuple):
    """The refusals of one language.

    Attributes
    ----------
    triggers : str
        Words one of which is in every refusal, so that other texts are not compared at all. Of a language written
        without spaces, a range of characters (``\u4e00-\u9fff``) that such a text holds.
    refusals : str
        Phrases that decline, one a line.
    untitled : str
        Phrases that decline, unless they are spelt like a title ("I Don't Know Why"). These may end in free words.
    fillers : str
        Phrases that neither decline nor answer and may be before a refusal: regrets, labels, hesitations.
    explanations : str
        Phrases that may be beside a refusal: what the passage is about, what would be needed, an offer to help.
    joints : str
        Words between two clauses, each of which must stand by itself.
    continues : str
        Words with which a clause may carry on the one before, across a comma.
    committing : str
        Runs of words, separated by ``|``, that free words never hold, since an answer follows them.
    pieces : mapping of str to str
        Parts that phrases refer to.
    spaced : bool
        Whether words are written with spaces between.
    """

    triggers: str
    refusals: str
    untitled: str = ""
    fillers: str = ""
    explanations: str = ""
    joints: str = ""
    continues: str = ""
    committing: str = ""
    pieces: Mapping[str, str] = {}
    spaced: bool = True
