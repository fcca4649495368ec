"""The places that docs/where_to_change.md names for changes exist, and are where such a change is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from promptrial import registry

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/where_to_change.md").read_text()
ROWS: Final = dict(re.findall(r"^\| (?!what should|---)(.+?) \| (.+) \|$", PAGE, re.MULTILINE))
BESIDE: Final[Mapping[str, Mapping[str, str]]] = {
    "src/promptrial/providers/fireworks.py": registry.PROVIDERS,
    "src/promptrial/scoring/types/exact_match.py": registry.SCORERS,
    "src/promptrial/stats/cr2.py": registry.STATISTICS,
    "src/promptrial/phases/costs.py": registry.PHASES,
    "src/promptrial/datasets/custom.py": registry.DATASETS,
    "src/promptrial/comparison/elsewhere/formats/helm.py": registry.RESULTS,
}
"""Where things are files beside each other: the table that names all of them."""
HOLDS: Final = {
    "src/promptrial/phases/parsed.py": r"^PREDICTION_COLUMNS: Final",
    "src/promptrial/cli/options.py": r"^def add_run_flags\(",
    "src/promptrial/errors.py": r"^    exit_code\b.* = \d",
    "src/promptrial/stats/cautions.py": r"^FEW_CLUSTERS: Final",
    "src/promptrial/stats/difference.py": r"^def clustered_difference_test\(",
    "src/promptrial/config/execution.py": r"^    poll_interval_s: ",
    "src/promptrial/providers/embedded.py": r"^def _engines_for\(",
    "src/promptrial/cli/main.py": r"^_OUT_OF_ROOM\b",
    "src/promptrial/datasets/columns.py": r"^WELL_KNOWN: Final",
    "src/promptrial/comparison/gates.py": r"^def resolved\(",
    "src/promptrial/config/pricing.py": r"^class PriceConfig\(",
    "src/promptrial/config/schema.py": r"^class ExperimentConfig\(",
    "src/promptrial/documents/significance.py": r"^    bootstrap_samples: int = ",
    "src/promptrial/design/fitting.py": r"^_MOST_WORDS: Final",
    "src/promptrial/phases/judge_questions.py": r"^def _pairs\(judge: RunJudge",
    "src/promptrial/jobs/budget.py": r"^class Budget:",
    "src/promptrial/reporting/tables/context.py": r"^def attrition_table\(",
    "src/promptrial/reporting/page/report.css": r"prefers-color-scheme: dark",
    "src/promptrial/costs/vendor_terms.py": r"^BATCH_RULES: Final",
    "src/promptrial/phases/quote.py": r"^class _UsageByArm:",
    "src/promptrial/runtime/retry.py": r"longest_asked_s: float = ",
    "src/promptrial/care/live_facts.py": r"^def live_facts\(",
    "src/promptrial/cli/label.py": r"^_ITEMS: Final = 60",
    "src/promptrial/datasets/recognising.py": r"^def _without_question\(",
    "src/promptrial/datasets/value_texts.py": r"^_WRITERS: Final",
    "src/promptrial/cli/status.py": r"^def _as_text\(run: RunDir, look: Look",
    "src/promptrial/care/labelling/page.py": r"data-key=",
    "src/promptrial/reporting/cells.py": r"^def points_decimals\(",
    "src/promptrial/providers/anthropic_service.py": r"^def anthropic_service\(",
    "src/promptrial/datasets/table.py": r"^def open_table\(",
    "src/promptrial/reporting/tables/evidence.py": r"^def effect_sizes_table\(",
    "src/promptrial/reporting/page/sections.py": r"^def trial_sections\(",
    "src/promptrial/engine/loop.py": r"^    def _fold_journals\(",
    "src/promptrial/care/listing.py": r"^def list_runs\(",
    "src/promptrial/care/view/server.py": r"^class LocalServer:",
    "src/promptrial/datasets/item_rules.py": r"^def check_item\(",
    "src/promptrial/providers/openai_wire.py": r"^    def in_our_words\(",
    "src/promptrial/providers/openai_models.py": r"^def _refuses_temperature\(",
    "src/promptrial/store/atomic.py": r"os\.fsync\(",
    "src/promptrial/reporting/page/report.js": r"a\[i\] === b\[j\]",
    "src/promptrial/reporting/page/compared.py": r"^def compared_words\(",
    "src/promptrial/scoring/fitting_rules.py": r"^GOLD_RULES: Final",
    "src/promptrial/datasets/encodings.py": r"^_BOMS: Final",
    "src/promptrial/scoring/types/regex.py": r"^class Regex\(",
    "src/promptrial/jobs/collection.py": r"^    def billed\(",
    "src/promptrial/engine/starting.py": r"the file has changed, \{what\}, and nothing is asked again",
    "src/promptrial/stats/families.py": r"^_METHODS: Final\[dict\[Correction",
    "src/promptrial/stats/adjusted_p_values.py": r"^def (holm|benjamini_hochberg)\(",
    "src/promptrial/reporting/empty_and_truncated.py": r"^WARNING_SHARE: Final",
    "src/promptrial/costs/prices.py": r"^def usd\(",
    "src/promptrial/runtime/events.py": r"^class (EventLog|Redactor)\b",
    "src/promptrial/care/doctor/examining.py": r"^def examine\(",
    "src/promptrial/reporting/findings.py": r"No difference shown",
    "src/promptrial/reporting/warned.py": r"^_LABELS: Final",
    "src/promptrial/stats/several.py": r"^class SeveralArms\b",
    "src/promptrial/reporting/ranked.py": r"Not shown which arm",
    "src/promptrial/reporting/tables/effects.py": r"\"not significant\"",
    "src/promptrial/archive/contents.py": r"^LEFT_OUT: Final",
    "src/promptrial/cli/slips.py": r"^_OTHER_WORDS: Final = ",
    "src/promptrial/datasets/clusters.py": r"^def cluster_(parts|id)\(",
    "src/promptrial/providers/openai_rows.py": r"return status in \{0, 408",
    "src/promptrial/jobs/pace.py": r"^    def asked_to_slow_down\(",
    "src/promptrial/jobs/calls_beside.py": r"^class CallsBeside:",
    "src/promptrial/scoring/judge_messages.py": r"^def verdict_of\(reply: ",
    "src/promptrial/stats/stopping.py": r"^    def reason_to_stop\(",
    "src/promptrial/costs/consent.py": r"^def consent_to\(",
    "src/promptrial/comparison/comparing.py": r"^def _matched\(a: ",
    "src/promptrial/phases/side_by_side.py": r"^def outcome_codes\(",
    "src/promptrial/store/lock.py": r"^_TRIES_S: Final",
    "src/promptrial/costs/catalogue.py": r"^class _Listed\b",
    "src/promptrial/design/spread.py": r"^def estimated\(pairs",
    "src/promptrial/documents/usual.py": r"^POWER: Final",
    "src/promptrial/providers/http_outcomes.py": r"^def explained\(",
    "src/promptrial/runtime/workers.py": r"^class Processes\b",
    "docs/generate.py": r"^def _type\(annotation",
    "src/promptrial_emulator/faults/rules.py": r"^FAULTS: Final",
}
"""What is changed there, and is in no other file of the program."""


def places(cell: str) -> list[str]:
    return re.findall(r"`((?:src|docs)/[\w/]+\.(?:py|js|css))`", cell)


def test_every_change_names_one_existing_place() -> None:
    assert len(ROWS) == len(BESIDE) + len(HOLDS)
    named = [place for cell in ROWS.values() for place in places(cell)]
    assert [len(places(cell)) for cell in ROWS.values()] == [1] * len(ROWS)
    assert sorted(named) == sorted({*BESIDE, *HOLDS})
    assert [place for place in named if not (ROOT / place).is_file()] == []


def test_every_other_named_file_exists() -> None:
    names = {path.name for folder in ("src", "docs") for path in (ROOT / folder).rglob("*.py")}
    assert {name.rpartition("/")[2] for name in re.findall(r"`([\w/]+\.py)`", PAGE)} <= names


@pytest.mark.parametrize("place", BESIDE)
def test_all_modules_of_a_kind_are_beside_the_named_one(place: str) -> None:
    files = {f"src/{target.partition(':')[0].replace('.', '/')}.py" for target in BESIDE[place].values()}
    assert place in files
    assert {str(Path(file).parent) for file in files} == {str(Path(place).parent)}


@pytest.mark.parametrize("place", HOLDS)
def test_the_definition_at_a_named_place_is_the_only_one(place: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / place.partition("/")[0]).rglob(f"*{Path(place).suffix}"))
        if re.search(HOLDS[place], path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert found == [place]
