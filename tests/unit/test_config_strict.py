"""Tests of what every section of the configuration is made of."""

from __future__ import annotations

import subprocess
import sys

import pytest

from promptrial.config import schema
from promptrial.config.strict import Strict

FIELDS = schema.ExperimentConfig.model_fields
OPTIONAL = {name: field.default for name, field in FIELDS.items() if isinstance(field.default, Strict)}


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_missing_section_equals_an_empty_one(name: str) -> None:
    read = type(OPTIONAL[name]).model_validate({})
    assert read == OPTIONAL[name]
    assert read.model_dump(mode="json") == OPTIONAL[name].model_dump(mode="json")


def test_the_strict_test_covers_all_optional_sections() -> None:
    assert {"stats", "scoring", "sweep", "paths"} <= OPTIONAL.keys()


def test_importing_the_shape_of_the_configuration_builds_no_validator() -> None:
    code = (
        "from promptrial.config import schema; "
        "print(schema.ExperimentConfig.__pydantic_complete__, schema.StatsConfig.__pydantic_complete__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
