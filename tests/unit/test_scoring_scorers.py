"""Each scorer on answers whose score is known, and the registry that they are reached through."""

# ruff: noqa: RUF001 - dashes of every kind

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from promptrial import registry
from promptrial.config.typed import SettingsError, typed
from promptrial.documents import scorers as documents
from promptrial.documents.scorers import Scale
from promptrial.errors import ScoreError
from promptrial.model import Item
from promptrial.scoring.base import Gold, PreparedAnswer, ScoringSettings, load_scorers, prepare_answer, prepare_gold
from promptrial.scoring.contract import Declaration, Response, Scorer
from promptrial.scoring.normalize import SQUAD_V2
from promptrial.scoring.panel import score_answer, worst_scores
from promptrial.scoring.support import has_share
from promptrial.scoring.types.unsupported import Unsupported, contains

PASSAGE = "The Normans gave their name to Normandy. Their leader was Rollo, the Duke of Normandy."
ANSWERABLE = Item(id="1", dataset="s", question="Who?", answers=("Rollo", "Duke Rollo"), context=PASSAGE)
UNANSWERABLE = Item(id="2", dataset="s", question="When?", answers=(), context=PASSAGE, is_unanswerable=True)
CLOSED = Item(id="3", dataset="n", question="Who?", answers=("Rollo",))
CLOSED_UNANSWERABLE = Item(id="4", dataset="c", question="Who?", answers=(), is_unanswerable=True)
ITEMS = [ANSWERABLE, UNANSWERABLE, CLOSED, CLOSED_UNANSWERABLE]


def scores(
    item: Item,
    text: str,
    settings: ScoringSettings | None = None,
    format_name: str = "squad_v2",
    unsupported: Unsupported | None = None,
) -> dict[str, float]:
    gold = prepare_gold(item, format_name, settings or ScoringSettings())
    scorers = load_scorers() | {"unsupported_rate": unsupported or Unsupported()}
    return dict(zip(scorers, score_answer(gold, Response(text), scorers), strict=True))


def test_the_default_pack_equals_that_of_the_registry_in_order() -> None:
    assert list(load_scorers()) == list(registry.DEFAULT_PACK)


def test_every_scorer_of_the_pack_is_of_the_first_version_so_that_runs_without_versions_are_done() -> None:
    assert {scorer.declared.version for scorer in load_scorers().values()} == {1}


def test_only_f1_is_continuous() -> None:
    assert [name for name, scorer in load_scorers().items() if scorer.declared.scale == "continuous"] == ["f1"]


def test_the_pack_says_which_scores_are_right_declined_and_false() -> None:
    roles = {scorer.declared.role: name for name, scorer in load_scorers().items() if scorer.declared.role}
    assert roles == {"accuracy": "em", "abstention": "abstain_rate", "false_answer": "false_answer_rate"}


def test_every_scorer_says_which_direction_is_better() -> None:
    assert {name: scorer.declared.direction for name, scorer in load_scorers().items()} == {
        "em": "higher",
        "f1": "higher",
        "abstain_rate": None,
        "false_answer_rate": "lower",
        "unsupported_rate": "lower",
    }


def test_every_scorer_declares_its_range_and_a_worst_score_within_it() -> None:
    for scorer in load_scorers().values():
        assert scorer.declared.range == (0.0, 1.0)
        for item in filter(scorer.applies, ITEMS):
            worst = {"higher": 0.0, "lower": 1.0}
            assert scorer.worst(item) == worst.get(scorer.declared.direction or "", float(not item.is_unanswerable))


def test_a_missing_answer_is_never_better_than_an_answer() -> None:
    """The worst score of an item is the farthest from that of the answer that was wanted."""
    for item, best in ((ANSWERABLE, "Rollo"), (UNANSWERABLE, "I don't know."), (CLOSED_UNANSWERABLE, "unanswerable")):
        for scorer, worst, score in zip(
            load_scorers().values(), worst_scores(item, load_scorers()), scores(item, best).values(), strict=True
        ):
            assert math.isnan(worst) == math.isnan(score) == (not scorer.applies(item))
            assert math.isnan(worst) or abs(worst - score) == 1


@dataclass(frozen=True)
class Wild(Scorer):
    """A scorer whose scores are not what it declares; ``broken`` raises instead."""

    given: float = 0.0
    scale: Scale = "binary"
    broken: bool = False

    @property
    def declared(self) -> Declaration:
        return Declaration(label="Wild", meaning="", scale=self.scale, direction="higher", range=(0.0, 2.0))

    def applies(self, item: Item) -> bool:
        if self.broken:
            raise SystemExit("I have seen\nenough")
        return not item.is_unanswerable

    def score(self, gold: Gold, answer: PreparedAnswer) -> float:  # noqa: ARG002 - whatever was answered
        return self.given


@pytest.mark.parametrize(
    ("score", "scale", "allowed"),
    [
        (2.5, "continuous", "from 0 to 2"),
        (-0.5, "continuous", "from 0 to 2"),
        (math.nan, "continuous", "from 0 to 2"),
        (1.0, "binary", "0 or 2"),
    ],
)
def test_a_score_outside_the_declared_range_is_an_error_that_names_item_and_scorer(
    score: float, scale: Scale, allowed: str
) -> None:
    gold = prepare_gold(ANSWERABLE, "squad_v2", ScoringSettings())
    with pytest.raises(ScoreError, match=rf"scorer wild: the score of item '1' of s is .*; its range: {allowed}"):
        score_answer(gold, Response("Rollo"), {"wild": Wild(score, scale)})


@pytest.mark.parametrize(
    ("worst", "scale", "allowed"),
    [(-5.0, "continuous", "from 0 to 2"), (math.nan, "continuous", "from 0 to 2"), (1.0, "binary", "0 or 2")],
)
def test_a_worst_score_outside_the_declared_range_is_an_error_too(worst: float, scale: Scale, allowed: str) -> None:
    @dataclass(frozen=True)
    class Worse(Wild):
        def worst(self, item: Item) -> float:
            return worst if item is ANSWERABLE else 0.0

    with pytest.raises(ScoreError, match=rf"scorer wild: the worst score of item '1' of s is .*; its range: {allowed}"):
        worst_scores(ANSWERABLE, {"wild": Worse(0.0, scale)})


def declaration(**changed: object) -> object:
    """Return a declaration of anything: none of its values is checked when it is made."""
    return Declaration(**{"label": "L", "meaning": "M?", "scale": "binary", "direction": "higher"} | changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (declaration(direction="up"), "Invalid enum value 'up' - at `$.direction`"),
        (declaration(needs=("weather",)), "Invalid enum value 'weather'"),
        (declaration(scale="ordinal"), "Invalid enum value 'ordinal'"),
        (declaration(role="best"), "Invalid enum value 'best'"),
        (declaration(label=3), "Expected `str`, got `int`"),
        (declaration(label=object()), "Encoding objects of type object is unsupported"),
        (declaration(label=" "), "the label is empty"),
        (declaration(range=(1, 0)), "from a lower to a higher number; given: 1 to 0"),
        (declaration(range=(1, 1)), "from a lower to a higher number; given: 1 to 1"),
        (declaration(range=(0, 9e-5)), "the range 0 to 9e-05 is too narrow to compute with: at least 0.0001"),
        (declaration(range=(0, math.inf)), "Expected `float`, got `null`"),
        (declaration(range=(math.nan, 1)), "Expected `float`, got `null`"),
        (declaration(range=(0, 1, 2)), "Expected `array` of length 2"),
        (declaration(role="accuracy", range=(0, 10)), "the role 'accuracy' needs binary scores of 0 and 1"),
        (declaration(role="abstention", scale="continuous"), "the role 'abstention' needs binary scores"),
        ({"label": "L"}, "`declared` is no Declaration; given: dict"),
    ],
)
def test_a_declaration_that_no_record_can_hold_is_refused(declared: object, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        documents.checked(declared)


def test_every_scorer_of_the_pack_declares_what_is_read_back() -> None:
    for scorer in load_scorers().values():
        assert documents.checked(scorer.declared) == scorer.declared


def test_scores_at_the_ends_of_the_range_are_accepted() -> None:
    gold = prepare_gold(ANSWERABLE, "squad_v2", ScoringSettings())
    scorers = {"low": Wild(0.0), "high": Wild(2.0, "continuous"), "middle": Wild(1.5, "continuous")}
    assert score_answer(gold, Response("Rollo"), scorers) == (0.0, 2.0, 1.5)


def test_an_error_in_a_scorer_is_one_sentence_that_names_scorer_item_and_exception() -> None:
    gold = prepare_gold(ANSWERABLE, "squad_v2", ScoringSettings())
    for given in (None, "much"):
        with pytest.raises(ScoreError, match=r"^scorer wild failed on item '1' of s: TypeError: ") as caught:
            score_answer(gold, Response("Rollo"), {"wild": Wild(given, "continuous")})  # type: ignore[arg-type]
        assert "\n" not in caught.value.message
        with pytest.raises(
            ScoreError, match=rf"^scorer wild: the score of item '1' of s is {given!r}; its range: 0 or 2"
        ):
            score_answer(gold, Response("Rollo"), {"wild": Wild(given)})  # type: ignore[arg-type]
    broken = {"wild": Wild(broken=True)}
    attempts: list[Callable[[], object]] = [
        lambda: score_answer(gold, Response("Rollo"), broken),
        lambda: worst_scores(ANSWERABLE, broken),
    ]
    for attempt in attempts:
        with pytest.raises(ScoreError, match=r"^scorer wild failed on item '1' of s: SystemExit: I have seen enough"):
            attempt()


def test_the_worst_score_is_the_end_of_the_range_that_is_not_better() -> None:
    assert worst_scores(ANSWERABLE, {"wild": Wild()}) == (0.0,)
    assert math.isnan(worst_scores(UNANSWERABLE, {"wild": Wild()})[0])


def test_a_scorer_gets_the_recorded_response_even_if_the_model_declined() -> None:
    gold = prepare_gold(ANSWERABLE, "squad_v2", ScoringSettings())
    response = Response("I don't know.", finish_reason="stop", completion_tokens=5, reasoning="hm")
    answer = prepare_answer(gold, response)
    assert (answer.abstained, answer.text, answer.response) == (True, "", response)


def test_an_abstention_is_right_on_an_unanswerable_item_and_wrong_on_an_answerable_one() -> None:
    unanswerable, answerable = scores(UNANSWERABLE, "I don't know."), scores(ANSWERABLE, "I don't know.")
    assert (unanswerable["em"], unanswerable["f1"]) == (1, 1)
    assert (answerable["em"], answerable["f1"]) == (0, 0)
    assert unanswerable["abstain_rate"] == answerable["abstain_rate"] == 1


def test_an_abstention_is_wrong_even_where_an_accepted_answer_normalises_to_nothing() -> None:
    blood_type = Item(id="5", dataset="n", question="Which blood type?", answers=("A+", "AB+"))
    assert scores(blood_type, "Unknown", format_name="nq_open")["em"] == 0
    assert scores(blood_type, "A+", format_name="nq_open")["em"] == 1


def test_the_words_of_a_refusal_give_no_f1() -> None:
    item = Item(id="6", dataset="n", question="Which song?", answers=("I Don't Know How to Love Him",))
    assert scores(item, "I don't know")["f1"] == 0
    assert scores(item, "I Don't Know How to Love Him")["f1"] == 1


def test_false_answers_are_counted_only_on_unanswerable_items() -> None:
    assert scores(UNANSWERABLE, "In 911")["false_answer_rate"] == 1
    assert scores(UNANSWERABLE, "unanswerable")["false_answer_rate"] == 0
    assert scores(CLOSED_UNANSWERABLE, "Rollo")["false_answer_rate"] == 1
    assert math.isnan(scores(ANSWERABLE, "In 911")["false_answer_rate"])
    assert math.isnan(scores(CLOSED, "I don't know")["false_answer_rate"])


def test_a_score_that_does_not_apply_is_nan_and_never_zero() -> None:
    assert {name for name, value in scores(CLOSED, "Rollo").items() if math.isnan(value)} == {
        "false_answer_rate",
        "unsupported_rate",
    }


@pytest.mark.parametrize("strategy", ["exact", "overlap"])
def test_an_abstention_makes_no_unsupported_claim(strategy: str) -> None:
    scorer = Unsupported(strategy)  # type: ignore[arg-type]
    assert scores(UNANSWERABLE, "I don't know", unsupported=scorer)["unsupported_rate"] == 0
    assert scores(ANSWERABLE, "The.", unsupported=scorer)["unsupported_rate"] == 0
    assert math.isnan(scores(CLOSED, "Paris", unsupported=scorer)["unsupported_rate"])


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("Rollo", 0),
        ("their leader was Rollo, Duke of Normandy", 0),
        ("leader: Rollo", 1),
        ("Norm", 1),
        ("name to Normandy their", 0),
    ],
)
def test_exact_support_is_containment_at_token_boundaries(text: str, unsupported: int) -> None:
    assert scores(ANSWERABLE, text, unsupported=Unsupported("exact"))["unsupported_rate"] == unsupported


@pytest.mark.parametrize(
    ("text", "unsupported"),
    [
        ("Rollo Normandy leader", 0),
        ("Rollo Normandy leader fjord viking", 0),  # 3 of 5 is the 0.6 that suffices
        ("Rollo Normandy fjord viking", 1),  # 2 of 4 is not
        ("Rollo Rollo Rollo fjord viking", 0),  # an answer's token counts as often as it occurs
        ("Norm", 1),
    ],
)
def test_overlap_support_is_the_share_of_the_answers_tokens_in_the_passage(text: str, unsupported: int) -> None:
    assert scores(ANSWERABLE, text)["unsupported_rate"] == unsupported


def test_the_overlap_threshold_comes_from_the_settings() -> None:
    strict, lax = Unsupported(min_token_overlap=1.0), Unsupported(min_token_overlap=0.0)
    assert scores(ANSWERABLE, "Rollo the viking", unsupported=strict)["unsupported_rate"] == 1
    assert scores(ANSWERABLE, "fjord", unsupported=lax)["unsupported_rate"] == 0


def test_support_finds_the_same_tokens_whichever_way_the_passage_was_prepared() -> None:
    passage = "The dukes–the\nfirst – ruled “a” land."
    tokens = SQUAD_V2.tokens(passage)
    assert has_share(tokens, SQUAD_V2.haystack(passage), 1.0)
    assert contains(tokens, f" {SQUAD_V2.normalize(passage)} ")


def test_configured_refusals_reach_the_scores() -> None:
    assert scores(UNANSWERABLE, "Pass.")["false_answer_rate"] == 1
    assert scores(UNANSWERABLE, "Pass.", ScoringSettings(extra_refusals=("pass",)))["false_answer_rate"] == 0


def test_a_prepared_answer_has_its_tokens_and_an_abstention_has_none() -> None:
    gold = prepare_gold(ANSWERABLE, "squad_v2", ScoringSettings())
    refusal, dots = Response("Unknown."), Response("...")
    assert prepare_answer(gold, Response("The Duke, Rollo")).tokens == ["duke", "rollo"]
    assert prepare_answer(gold, refusal) == PreparedAnswer(True, "", [], "", refusal)
    assert prepare_answer(gold, dots) == PreparedAnswer(False, "", [], "...", dots)


@pytest.mark.parametrize("item", ITEMS)
@pytest.mark.parametrize("text", ["Rollo", "unknown", "", "the", "x " * 300])
def test_every_applicable_score_is_between_zero_and_one(item: Item, text: str) -> None:
    assert all(math.isnan(value) or 0 <= value <= 1 for value in scores(item, text).values())


@pytest.mark.parametrize(
    ("settings", "key", "problem"),
    [
        ({"strategy": "guess"}, "strategy", "input should be 'exact' or 'overlap'"),
        ({"min_token_overlap": 60}, "", "min_token_overlap is 60.0; allowed: 0 to 1"),
        ({"stratagem": "exact"}, "stratagem", "unknown setting; did you mean 'strategy'?; known: strategy, min_"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, object], key: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        typed(Unsupported, settings)
    assert caught.value.key == key
    assert caught.value.problem.startswith(problem)


def test_the_class_refuses_an_unknown_strategy_too() -> None:
    with pytest.raises(ValueError, match="strategy is 'guess'; allowed: exact, overlap"):
        Unsupported("guess")  # type: ignore[arg-type]
