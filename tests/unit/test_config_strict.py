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
def test_a_section_that_is_not_given_is_what_an_empty_one_is_read_as(name: str) -> None:
    read = type(OPTIONAL[name]).model_validate({})
    assert read == OPTIONAL[name]
    assert read.model_dump(mode="json") == OPTIONAL[name].model_dump(mode="json")


def test_sections_that_need_not_be_given_are_among_them() -> None:
    assert {"stats", "scoring", "sweep", "paths"} <= OPTIONAL.keys()


def test_importing_the_shape_of_the_configuration_builds_no_validator() -> None:
    code = (
        "from promptrial.config import schema; "
        "print(schema.ExperimentConfig.__pydantic_complete__, schema.StatsConfig.__pydantic_complete__)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
