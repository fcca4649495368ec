"""The tables of what promptrial can be told to use."""

import pytest

from promptrial import registry
from promptrial.errors import ConfigError

TABLES = {
    "phase": registry.PHASES,
    "provider": registry.PROVIDERS,
    "dataset format": registry.DATASETS,
    "scorer": registry.SCORERS,
    "statistic": registry.STATISTICS,
}


def test_the_phases_are_listed_in_the_order_in_which_they_run() -> None:
    assert list(registry.PHASES) == ["prepare", "build", "submit", "poll", "parse", "score", "stats", "costs", "report"]


def test_the_endpoints_are_the_columns_of_the_score_table_in_order() -> None:
    assert list(registry.DEFAULT_PACK) == ["em", "f1", "abstain_rate", "false_answer_rate", "unsupported_rate"]


def test_each_column_of_the_default_pack_has_a_type_and_is_another_name_of_it() -> None:
    assert set(registry.DEFAULT_PACK.values()) <= set(registry.SCORERS)
    assert not set(registry.DEFAULT_PACK) & set(registry.SCORERS)
    assert [registry.scorer_type(column) for column in registry.DEFAULT_PACK] == list(registry.DEFAULT_PACK.values())
    assert registry.scorer_type("token_f1") == "token_f1"


@pytest.mark.parametrize("kind", TABLES)
def test_every_entry_names_a_module_of_this_package_and_an_attribute(kind: str) -> None:
    for entry in TABLES[kind].values():
        module, _, attribute = entry.partition(":")
        assert module.startswith("promptrial.")
        assert attribute.isidentifier()


@pytest.mark.parametrize("kind", ["phase", "dataset format", "scorer", "statistic"])
def test_every_entry_can_be_loaded(kind: str) -> None:
    for name in TABLES[kind]:
        assert registry.load(kind, name) is not None


def test_an_unknown_name_lists_the_nearest_and_all_others() -> None:
    with pytest.raises(ConfigError) as caught:
        registry.load("dataset format", "squad")
    known = ", ".join(registry.DATASETS)
    assert str(caught.value) == f"unknown dataset format 'squad'; did you mean 'squad_v2'?; known: {known}"
    assert known.startswith("squad_v2, nq_open, triviaqa, custom, ")


def test_an_unknown_name_without_a_similar_one_gets_no_suggestion() -> None:
    assert registry.near_misses("zzz", ["em", "f1"]) == "; known: em, f1"
