"""What refusals sound like, language by language: data, in the notation of ``phrases``. Nothing here decides.

To add a wording, add a line; to add a language, add an entry to ``LANGUAGES``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from promptrial.scoring.refusal_table import asian, european
from promptrial.scoring.refusal_table.english import CONTRACTIONS, ENGLISH
from promptrial.scoring.refusal_table.language import Language

__all__ = ["CONTRACTIONS", "LANGUAGES", "REASONS", "Language"]

REASONS: Final = frozenset({"because", "weil", "porque", "parce", "perche", "omdat", "потому"})
"""Words that begin an answer to *why*, even if what follows is that something is not known."""

LANGUAGES: Final[Mapping[str, Language]] = {
    "en": ENGLISH,
    "de": european.GERMAN,
    "es": european.SPANISH,
    "fr": european.FRENCH,
    "it": european.ITALIAN,
    "pt": european.PORTUGUESE,
    "nl": european.DUTCH,
    "pl": european.POLISH,
    "ru": european.RUSSIAN,
    "uk": european.UKRAINIAN,
    "tr": asian.TURKISH,
    "ar": asian.ARABIC,
    "hi": asian.HINDI,
    "vi": asian.VIETNAMESE,
    "id": asian.INDONESIAN,
    "sv/no/da": european.SCANDINAVIAN,
    "el": european.GREEK,
    "he": asian.HEBREW,
    "fa": asian.PERSIAN,
    "fi/cs/sk/ro/hu/bg/hr": european.EUROPEAN,
    "zh": asian.CHINESE,
    "ja": asian.JAPANESE,
    "ko": asian.KOREAN,
    "th": asian.THAI,
}
"""Language code -> its refusals. A text is compared with those languages alone whose triggers it holds."""
