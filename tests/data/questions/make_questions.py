"""Write the question files of this folder: made-up questions in the formats of SQuAD 2.0, NQ-open and TriviaQA.

``python tests/data/questions/make_questions.py`` writes them again, byte for byte; a test compares. The texts are built
from lists, so that accepted answers come in every shape that the official evaluations treat differently: articles,
punctuation, curly quotes, accents, numbers, several words, several wordings.
"""

# ruff: noqa: RUF001 - quote marks of every kind

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent

PLACES: Final = (
    ("Brackwater", "oat mill", 1822, "the River Senn", "grey slate"),
    ("Corrie Fell", "slate quarry", 1790, "Lake Ull", "oak beams"),
    ("Tern Isle", "ferry pier", 1901, "the North Channel", "larch planks"),
    ("Höfn-by-Sea", "salt house", 1655, "the Grey Sound", "brick and lime"),
    ("St. Anwell’s", "bell tower", 1480, "the Abbey Brook", "Purbeck stone"),
    ("O'Darragh", "peat railway", 1888, "the Long Bog", "iron rails"),
    ("Vallée-Neuve", "silk works", 1743, "the Canal d’Or", "red tiles"),
    ("New Thorpe", "tram depot", 1926, "the A-12 road", "reinforced concrete"),
)
NOUNS: Final = (
    ("metal", "liquid at room temperature", ("mercury", "quicksilver", "Hydrargyrum")),
    ("planet", "with the widest rings", ("Saturn", "the planet Saturn")),
    ("gas", "that plants take in", ("carbon dioxide", "CO2", "CO₂")),
    ("mineral", "that is the hardest", ("diamond", "a diamond")),
    ("ocean", "that is the largest", ("the Pacific Ocean", "Pacific", "The Pacific")),
    ("river", "through Vienna and Budapest", ("the Danube", "Danube", "Donau")),
    ("grade", "above A", ("A+", "A-plus", "an A+")),
    ("drink", "made of roasted beans", ("coffee", "café", "a cup of coffee")),
    ("year", "in which the pier was opened", ("1901", "in 1901", "the year 1901")),
    ("number", "of legs that a spider has", ("8", "eight", "eight (8)")),
    ("bridge", "at O'Darragh", ("O'Darragh Bridge", "O’Darragh Bridge", "the O'Darragh bridge")),
    ("colour", "of chlorophyll", ("green", "Green.", "a green")),
)
TOPICS: Final = ("in the old almanac", "in plain words", "by most accounts", "on the first page", "today", "in schools")


def squad() -> dict[str, Any]:
    """Return two articles of four passages; half of the questions of each passage cannot be answered."""
    passages = [_passage(number, *place) for number, place in enumerate(PLACES)]
    articles = [{"title": title, "paragraphs": passages[at : at + 4]} for title, at in (("Works", 0), ("Shores", 4))]
    return {"version": "v2.0", "data": articles}


def _passage(number: int, place: str, work: str, year: int, water: str, stuff: str) -> dict[str, Any]:
    context = (
        f"The {work} at {place} was finished in {year}. It stands beside {water}, and its roof is of {stuff}. "
        f"By {year + 31}, two more had been built: one of them, the “Little {work.title()}”, burnt down within a year."
    )
    asked = [
        (f"When was the {work} at {place} finished?", (str(year), f"in {year}")),
        (f"What does the {work} stand beside?", (water, water.removeprefix("the "))),
        (f"What is the roof of the {work} made of?", (stuff, f"of {stuff}")),
        ("What was one of the later ones called?", (f"the “Little {work.title()}”", f"Little {work.title()}")),
        (f"Where is the {work}?", (place, f"at {place}")),
    ]
    rows = [_answerable(context, f"{number:02d}a{position}", *each) for position, each in enumerate(asked)]
    lacking = (f"Who paid for the {work}?", "How tall is it?", "Why did it burn down?", "What did it cost?")
    return {
        "context": context,
        "qas": rows + [_impossible(context, f"{number:02d}b{n}", q) for n, q in enumerate(lacking)],
    }


def _answerable(context: str, key: str, question: str, answers: tuple[str, ...]) -> dict[str, Any]:
    spans = [{"text": text, "answer_start": context.index(text)} for text in answers]
    return {"id": _id(key), "question": question, "answers": [*spans, spans[0]], "is_impossible": False}


def _impossible(context: str, key: str, question: str) -> dict[str, Any]:
    plausible = [{"text": "a year", "answer_start": context.index("a year")}]
    return {"id": _id(key), "question": question, "answers": [], "is_impossible": True, "plausible_answers": plausible}


def _id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def nq_open() -> list[dict[str, Any]]:
    """Return 150 rows: a question in lower case and its accepted answers, one to three of them."""
    rows = [
        {"question": f"which is the {noun} {tail} {topic}", "answer": list(answers[: 1 + (at + n) % 3])}
        for n, topic in enumerate(TOPICS)
        for at, (noun, tail, answers) in enumerate(NOUNS)
    ]
    asked = ("where is the {work} of {place} {topic}", "what stands at {place} {topic}")
    rows += [
        {
            "question": text.format(work=work, place=place, topic=topic).lower(),
            "answer": [place, f"near {water}"] if "where" in text else [f"a {work}", f"the {work}", work],
        }
        for text in asked
        for place, work, _year, water, _stuff in PLACES
        for topic in TOPICS[:5]
    ]
    return rows[:150]


def triviaqa() -> dict[str, Any]:
    """Return the questions of ``NOUNS`` with aliases, their normal forms, and some answers written by people."""
    return {"Data": [_trivia(number, *row) for number, row in enumerate(NOUNS)], "Domain": "Web", "Version": 1.0}


def _trivia(number: int, noun: str, tail: str, aliases: tuple[str, ...]) -> dict[str, Any]:
    normal = sorted({_normal(alias) for alias in aliases})
    answer: dict[str, Any] = {
        "Aliases": [*aliases, aliases[0].replace(" ", "_")],
        "MatchedWikiEntityName": aliases[0],
        "NormalizedAliases": normal,
        "NormalizedMatchedWikiEntityName": normal[0],
        "NormalizedValue": _normal(aliases[0]),
        "Type": "WikipediaEntity",
        "Value": aliases[0],
    }
    if number % 3 == 0:
        answer["HumanAnswers"] = [f"it is {aliases[0]}"]
    return {
        "Answer": answer,
        "EntityPages": [],
        "Question": f"Which is the {noun} {tail}?",
        "QuestionId": f"made_{number}",
        "QuestionSource": "made up",
        "SearchResults": [],
    }


def _normal(text: str) -> str:
    """Return the normal form of the few texts above: lower case, no articles, no punctuation."""
    for mark in "_'’.()-+":
        text = text.replace(mark, " ")
    return " ".join(word for word in text.lower().split() if word not in {"a", "an", "the"})


def files() -> dict[str, str]:
    """Return what each file of this folder holds."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in nq_open())
    return {
        "squad_v2.json": json.dumps(squad(), ensure_ascii=False, indent=1) + "\n",
        "nq_open.jsonl": lines,
        "triviaqa.json": json.dumps(triviaqa(), ensure_ascii=False, indent=1) + "\n",
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
