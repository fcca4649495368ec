"""The ledger as text on one screen and as CSV: aligned, exact, and safe for a spreadsheet."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from promptrial.documents.ledger import Ledger
from promptrial.reporting.facts import SpendingFacts
from promptrial.reporting.ledger_csv import COLUMNS, ledger_csv
from promptrial.reporting.ledger_text import ledger_text
from promptrial.reporting.tables import trials_table
from promptrial.store.part_records import BilledTokens, FileRecord
from tests.unit.test_phases_ledger import ANSWERED, intent, ledger, manifest, part

LONG = "gpt-oss-120b-structure_without_content-tp1-tk50-mx1024-1024"


def spent() -> Ledger:
    """Return a ledger with one attempt of nearly every kind."""
    return ledger(
        {
            LONG: manifest(
                t0_control_p001=part(
                    intent(asked="before", **ANSWERED),
                    intent(2, "expired", billed=BilledTokens(rows=4, prompt=9_876_543), results=FileRecord("a", 0, 0)),
                    intent(3, **ANSWERED),
                ),
                t0_control_p002=part(intent(asked="q2", status="running"), status="running", asked="q2"),
            ),
            "two": manifest(t0_control_p001=part()),
        }
    )


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_ledger_is_at_most_80_columns_wide_and_shows_spent_beside_used() -> None:
    text = ledger_text(spent())
    assert max(map(len, text.splitlines())) <= 80
    assert len(text.splitlines()) <= 24
    lines = {line[:32].strip(): line[32:].split() for line in text.splitlines()}
    assert lines["control"] == ["-", "0.0021", "-", "-"], "of the second trial, which paid nothing"
    assert lines["Total, each answer counted once"] == ["14.8190", "0.0021", "0.0200", "4"]
    assert lines["answers lost"] == ["14.8148", "-", "-", "1"]
    assert lines["requests no longer needed"] == ["0.0021", "-", "-", "1"]
    assert "paid for once, and count in each trial: 0.0021" in " ".join(text.split())


def test_a_limited_number_of_trials_can_be_shown_and_all_are_counted() -> None:
    text = ledger_text(spent(), most_trials=1)
    assert "and 1 more trials" in text
    assert "two" not in text.split()
    assert "14.8190" in text


def test_unpriced_attempts_and_those_of_an_earlier_version_are_reported() -> None:
    trials = {"t": manifest(t0_control_p001=part(intent(**ANSWERED)))}
    assert "without a price: 1. They are not free" in " ".join(ledger_text(ledger(trials, price=None)).split())
    old = {"t": manifest(t0_control_p001=part(intent(results=FileRecord("a", 9, 4))))}
    assert "which did not record tokens: 1" in " ".join(ledger_text(ledger(old, used=0.5)).split())


def test_the_csv_has_a_line_for_each_attempt_and_adds_up_to_the_total_exactly() -> None:
    found = spent()
    table = rows(ledger_csv(found))
    assert list(table[0]) == list(COLUMNS)
    assert [row["fate"] for row in table] == ["superseded", "lost", "used", "in_flight"]
    for column, total in (
        ("spent_usd", found.total.spent),
        ("used_usd", found.total.used),
        ("held_usd", found.total.held),
    ):
        assert sum(Decimal(row[column]) for row in table) == total
    assert table[2]["prompt_tokens"] == "1001"
    assert table[3]["prompt_tokens"] == "", "not known is not 0"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =HYPERLINK(0)", "\uff1d1"])
def test_no_text_cell_is_read_as_a_formula(text: str) -> None:
    found = spent()
    line = msgspec.structs.replace(found.lines[0], job=text, reason=text, part=text)
    [row] = rows(ledger_csv(msgspec.structs.replace(found, lines=(line,), run_id=text)))
    for column in ("job", "reason", "part", "run"):
        assert row[column].startswith("'"), column


def test_a_reason_of_several_lines_with_quotes_stays_in_its_cell() -> None:
    found = spent()
    line = msgspec.structs.replace(found.lines[0], reason='the "job",\nfailed\x1b[31m')
    [row] = rows(ledger_csv(msgspec.structs.replace(found, lines=(line,))))
    assert row["reason"] == 'the "job", failed\\u001b[31m'


def test_a_document_reads_back_unchanged() -> None:
    found: Any = spent()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Ledger) == found


def test_a_dry_run_is_marked_on_the_screen_and_in_each_csv_line() -> None:
    paid = spent()
    dry = msgspec.structs.replace(paid, dry_run=True)
    assert "Dry run: nothing was paid" in ledger_text(dry)
    assert "Dry run" not in ledger_text(paid)
    assert {row["dry_run"] for row in rows(ledger_csv(dry))} == {"yes"}
    assert {row["dry_run"] for row in rows(ledger_csv(paid))} == {""}
    assert max(map(len, ledger_text(dry).splitlines())) <= 80


def test_the_cost_of_reused_answers_is_listed_under_used() -> None:
    found = spent()
    (first, *others) = found.lines
    usd = msgspec.structs.replace(first.usd, spent=Decimal(0), held=Decimal(0), used=Decimal("1.25"))
    taken = msgspec.structs.replace(first, fate="reused", usd=usd)
    text = ledger_text(msgspec.structs.replace(found, lines=(taken, *others)))
    [line] = [line for line in text.splitlines() if "answers that another run paid for" in line]
    assert line.split()[-4:] == ["-", "1.2500", "-", "1"]


def test_the_page_of_a_run_shows_how_much_of_the_spending_its_answers_account_for() -> None:
    some, nearly, every = (trials_table([], SpendingFacts(2.5, used)).notes for used in (1.0, 2.499, 2.5))
    assert "account for 2.50 USD of that" in nearly[0]
    assert some == ("All attempts cost 2.50 USD; the answers that are analysed account for 1.00 USD of that.",)
    assert every == ("All attempts cost 2.50 USD, all of it for the answers that are analysed.",)
