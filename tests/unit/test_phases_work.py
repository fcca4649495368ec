"""The ids of jobs: what they are made of stays the same, so that no version buys again what another has bought."""

from __future__ import annotations

import pytest

from promptrial.config.effective import canonical_json
from promptrial.design.trials import asked_of
from promptrial.model import ModelSpec
from promptrial.model.instances import RequestOptions
from promptrial.phases.work import _digest_of_asked, job_key
from promptrial.store.rundir import digest_of

SHA256 = "ab" * 32


@pytest.mark.parametrize(
    "model",
    [
        ModelSpec("m", "vendor/model-1", "fireworks"),
        ModelSpec("m", 'a "quoted" name, \u00fc', "openai", path="[x]"),
        ModelSpec(
            "m", "x", "openai", options=RequestOptions(reasoning_effort="low", extra_body='{"n": [1, 2.5, null]}')
        ),
    ],
)
def test_the_identity_of_a_part_is_the_digest_of_its_requests_and_its_model(model: ModelSpec) -> None:
    assert _digest_of_asked(SHA256, canonical_json(asked_of(model))) == digest_of([SHA256, *asked_of(model)])


def test_the_ids_of_a_job_begin_with_the_run_and_a_digest() -> None:
    assert job_key("r", SHA256, None) == f"pt-r-{digest_of(['r', SHA256, None])[:16]}"
