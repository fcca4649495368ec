"""Spans that occur in a passage are supported, in every script; others are not."""

# ruff: noqa: RUF001 - scripts and quotes of every kind

import pytest

from promptrial.model import Item
from promptrial.scoring.base import ScoringSettings, prepare_answer, prepare_gold
from promptrial.scoring.contract import Response
from promptrial.scoring.support import Passage, Passages, claim_words
from promptrial.scoring.types.unsupported import Unsupported

PASSAGES = {
    "en": "Queen Victoria’s Anglo-Norman heirs (1,500 in all) met at O'Neil's inn; U.S. troops left at 3.5 km/h.",
    "de": "Die Königin-Mutter besaß die Straßenbahn „Linie 5“ in Köln.",
    "fr": "L'abbaye d’Évreux, c'est-à-dire l'édifice, date de 1822.",
    "es": "¿Quién fundó la ciudad? «El Conquistador», en 1541.",
    "ru": "Мельница была построена Иваном-старшим в 1822 году.",
    "el": "Ο μύλος χτίστηκε από τον Γιάννη το 1822.",
    "tr": "İstanbul'un fethi 1453'te oldu.",
    "ar": "بنيت الطاحونة والقاهرة في عام 1822.",
    "he": "הטחנה נבנתה בירושלים בשנת 1822.",
    "hi": "चक्की राम ने १८२२ में बनाई।",
    "ko": "방앗간은 서울에서 왕위가 지었다.",
    "zh": "这座磨坊由王伟建造，建于一八二二年。",
    "ja": "水車小屋は王偉によって1822年に建てられた。",
    "th": "โรงสีนี้สร้างโดยสมชายในปี ๑๘๒๒",
    "km": "រោងម៉ាស៊ីននេះសាងសង់ដោយសុខា",
    "my": "ဤစက်ကို ဦးဘ ဆောက်ခဲ့သည်။",
    "lo": "ໂຮງສີນີ້ສ້າງໂດຍສົມຊາຍ",
}
SPANS = [
    ("en", "Victoria"),
    ("en", "Queen Victoria's"),
    ("en", "Norman"),
    ("en", "Anglo"),
    ("en", "1,500"),
    ("en", "O’Neil"),
    ("en", "U.S."),
    ("en", "3.5 km"),
    ("de", "Mutter"),
    ("de", "Linie 5"),
    ("de", "STRASSENBAHN"),
    ("fr", "Évreux"),
    ("fr", "abbaye"),
    ("fr", "dire l'édifice"),
    ("es", "El Conquistador"),
    ("ru", "Иваном"),
    ("el", "Γιάννη"),
    ("tr", "1453"),
    ("ar", "القاهرة"),
    ("he", "ירושלים"),
    ("hi", "राम"),
    ("ko", "서울"),
    ("zh", "王伟"),
    ("zh", "一八二二年"),
    ("ja", "王偉"),
    ("ja", "1822年"),
    ("th", "สมชาย"),
    ("km", "សុខា"),
    ("my", "ဦးဘ"),
    ("lo", "ສົມຊາຍ"),
]
CLAIMS = [
    ("en", "Albert"),
    ("en", "Vic"),
    ("en", "500 in"),
    ("en", "150"),
    ("en", "5 km"),
    ("de", "Bahn"),
    ("ru", "Петром"),
    ("el", "Μαρία"),
    ("tr", "Ankara"),
    ("ar", "دمشق"),
    ("he", "חיפה"),
    ("hi", "श्याम"),
    ("ko", "부산"),
    ("zh", "李明"),
    ("ja", "田中"),
    ("ja", "182"),
    ("th", "วิชัย"),
]


def unsupported(language: str, text: str, strategy: str, format_name: str = "custom") -> float:
    item = Item(id="1", dataset="d", question="q", answers=("x",), context=PASSAGES[language])
    gold = prepare_gold(item, format_name, ScoringSettings())
    scorer = Unsupported(strategy)  # type: ignore[arg-type]
    return scorer.score(gold, prepare_answer(gold, Response(text)))


@pytest.mark.parametrize("format_name", ["custom", "squad_v2"])
@pytest.mark.parametrize("strategy", ["overlap", "exact"])
@pytest.mark.parametrize(("language", "span"), SPANS)
def test_a_span_from_the_passage_is_supported(language: str, span: str, strategy: str, format_name: str) -> None:
    assert unsupported(language, span, strategy, format_name) == 0
    assert unsupported(language, f"“{span}”.", strategy, format_name) == 0


@pytest.mark.parametrize("format_name", ["custom", "squad_v2"])
@pytest.mark.parametrize("strategy", ["overlap", "exact"])
@pytest.mark.parametrize(("language", "claim"), CLAIMS)
def test_a_claim_that_is_not_in_the_passage_is_not_supported(
    language: str, claim: str, strategy: str, format_name: str
) -> None:
    assert unsupported(language, claim, strategy, format_name) == 1


@pytest.mark.parametrize(("text", "expected"), [("由王伟建造的", 0), ("李明建于北京", 1)])
def test_overlap_counts_characters_in_scripts_without_spaces(text: str, expected: float) -> None:
    assert unsupported("zh", text, "overlap", "squad_v2") == expected


def test_words_are_split_at_punctuation_and_numbers_stay_whole() -> None:
    assert claim_words("The king’s Anglo-Norman 1,500 men (3.5%)") == ["king", "anglo", "norman", "1500", "men", "35"]


def test_a_text_of_punctuation_is_not_a_span_and_all_its_words_count_as_found() -> None:
    passage = Passage("Rollo – the duke.")
    assert not passage.holds("–")
    assert passage.has_share([], 1.0)
    assert passage.in_order([])


def test_a_later_occurrence_counts_if_an_earlier_one_is_inside_a_word() -> None:
    assert Passage("The Normans and one Norman").holds("Norman")
    assert not Passage("The Normans").holds("Norman")


def test_a_passage_is_prepared_once_for_all_questions_about_it_until_longer_ones_take_its_place() -> None:
    passages = Passages(10)
    first = passages.of("abcd")
    assert passages.of("efgh") is passages.of("efgh")
    assert passages.of("abcd") is first  # and was asked for last
    passages.of("ijkl")  # replaces the other one
    assert passages.of("abcd") is first
    assert passages.of("x" * 11).words == f" {'x' * 11} "  # longer than all may be together
    assert passages.of("abcd") is not first


def test_evicted_passages_are_prepared_again_and_use_no_memory() -> None:
    passages = Passages(8)
    first = passages.of("abcd")
    passages.forget()
    second = passages.of("abcd")
    assert second is not first
    passages.of("efgh")
    assert passages.of("abcd") is second
