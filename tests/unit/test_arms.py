"""The names of arms, their codes in ids on the wire, and the pairs that are compared."""

import pytest

from promptrial.model import Part
from promptrial.model.arms import (
    ARM_PATTERN,
    CONTROL,
    HASHED_CODE,
    Contrast,
    arm_code,
    arm_of,
    arms_by_code,
    contrasts_of,
)


def test_the_two_arms_of_earlier_runs_keep_their_codes() -> None:
    assert (arm_code("control"), arm_code("treatment")) == ("c", "t")


def test_the_code_of_another_arm_depends_only_on_its_name() -> None:
    # printf short | sha256sum | xxd -r -p | base32 | cut -c 1-4 | tr A-Z a-z
    assert arm_code("short") == "x7gya"
    assert HASHED_CODE.fullmatch(arm_code("a" * 32))


def test_every_treatment_is_compared_with_control_in_the_order_of_the_arms() -> None:
    assert contrasts_of(("control", "b", "a")) == (Contrast("b", CONTROL), Contrast("a", CONTROL))
    assert contrasts_of(("b", "control")) == (Contrast("b", CONTROL),)


def test_without_control_nothing_is_compared() -> None:
    assert contrasts_of(("a", "b")) == ()


def test_two_arms_with_the_same_code_are_refused_by_name() -> None:
    assert arms_by_code(("control", "treatment")) == {"c": "control", "t": "treatment"}
    with pytest.raises(ValueError, match=r"'arm_ajw' and 'arm_bgc' have the same code"):
        arms_by_code(("control", "arm_ajw", "arm_bgc"))


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a-b", "a" * 33, "é"])
def test_a_name_outside_the_pattern_is_not_an_arm(name: str) -> None:
    assert ARM_PATTERN.fullmatch(name) is None


def test_the_arm_of_a_resume_key_can_contain_underscores() -> None:
    part = Part("m1-main", 0.25, "a_p001", 2, 0, 1)
    assert (part.resume_key, part.name) == ("t025_a_p001", "t025_a_p001_p002")
    assert arm_of(part.resume_key) == "a_p001"
