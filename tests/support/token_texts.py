"""Questions in several languages for tests of token estimates: made up, in the shape of the sets that people ask.

``tests/data/token_texts.json`` holds what they are put together from, language by language.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import msgspec

from promptrial.model import Item

__all__ = ["LANGUAGES", "Language", "made_up"]


class Language(msgspec.Struct, frozen=True):
    """A system prompt, names and places, and the sentences of passages and questions that name them."""

    prompt: str
    joined: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    sentences: tuple[str, ...]
    questions: tuple[str, ...]


_FILE: Final = Path(__file__).parents[1] / "data" / "token_texts.json"
LANGUAGES: Final = msgspec.json.decode(_FILE.read_bytes(), type=dict[str, Language])


def made_up(language: str, count: int, *, passages: bool) -> list[Item]:
    """Return questions, with passages of two to nine sentences or without: always the same ones.

    The answer to each is a name of the language, so that an oracle can give it.
    """
    draw, source, found = random.Random(language), LANGUAGES[language], []  # noqa: S311 - texts, no secrets
    for number in range(count):
        sentences = [draw.choice(source.sentences) for _ in range(draw.randint(2, 9))]
        context = source.joined.join(_filled(source, text, draw) for text in sentences)
        found.append(
            Item(
                id=f"{language.lower()}-{number}",
                dataset="questions",
                question=_filled(source, draw.choice(source.questions), draw),
                answers=(draw.choice(source.names),),
                context=context if passages else None,
            )
        )
    return found


def _filled(source: Language, text: str, draw: random.Random) -> str:
    place, other = draw.sample(source.places, 2)
    return text.format(
        name=draw.choice(source.names),
        place=place,
        other=other,
        year=draw.randint(1780, 2020),
        number=draw.choice([draw.randint(3, 99), draw.randint(100, 9999)]),
    )
