"""The list of ways that a key could leak: each names tests that are there, and what each of them shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SHOWN: Final[dict[str, tuple[str, ...]]] = {
    "the configuration": (
        "test_a_key_that_is_pasted_into_an_entry_is_refused_with_file_line_and_key_and_not_repeated",
    ),
    "another value": ("test_a_secret_of_the_environment_is_refused_wherever_it_could_be_sent",),
    "another host": (
        "test_a_key_goes_to_the_hosts_of_its_vendor_and_to_this_machine",
        "test_any_other_host_must_be_trusted_by_name",
        "test_plain_http_to_another_machine_is_refused_even_if_trusted",
    ),
    "a redirect": (
        "test_a_redirect_is_not_followed_with_the_key",
        "test_a_redirect_of_a_download_is_followed_without_the_key",
    ),
    "files of a run": ("test_neither_a_key_nor_a_header_is_written_to_disk",),
    "messages": (
        "test_a_key_in_the_exception_of_a_scorer_is_neither_shown_nor_written",
        "test_doctor_shows_an_error_without_keys_of_the_configuration",
        "test_an_error_page_of_view_contains_no_key",
    ),
    "worker processes": (
        "test_a_worker_gets_no_key",
        "test_local_ray_gets_no_key_and_listens_only_on_this_machine",
    ),
    "a program": (
        "test_the_program_gets_no_key_in_its_environment",
        "test_the_program_can_read_the_files_of_the_user_also_those_with_keys",
    ),
    "a Python file": ("test_output_of_a_scorer_is_shown_unchanged_and_not_stored",),
    "what code": ("test_output_of_a_scorer_is_shown_unchanged_and_not_stored",),
}
"""How each row begins, and the tests that show it."""


def test_each_way_for_a_key_to_leak_names_the_test_files_that_show_what_prevents_it() -> None:
    page = (ROOT / "docs/providers.md").read_text(encoding="utf-8")
    section = page.partition("## Where keys are, and what keeps them there")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) == len(SHOWN)
    for (way, _, files), (beginning, tests) in zip(rows, SHOWN.items(), strict=True):
        assert way.startswith(beginning)
        code = "".join((ROOT / name).read_text(encoding="utf-8") for name in re.findall("`(tests/[^`]+)`", files))
        assert [name for name in tests if f"def {name}(" not in code] == [], way
