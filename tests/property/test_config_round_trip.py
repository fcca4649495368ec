"""Whatever a configuration holds, the one that is written into a run reads back to the same values."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.config.effective import config_hash, to_yaml
from promptrial.config.loading import load_config
from promptrial.config.placeholders import OWN
from promptrial.design.trials import trials_of
from promptrial.model.templates import DEFAULT_TEXTS, KINDS, ItemKind
from tests.support.configs import base, tree_of

# Whatever a UTF-8 file can hold, with more than its share of what means something in YAML.
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("\n\t\x85:#-'\"{}[]$%&*!|>@`\\")
)
prompts = texts.filter(lambda text: text.strip() != "")
shares = st.floats(0, 1, exclude_min=True, exclude_max=True)


@st.composite
def instructions(draw: st.DrawFn) -> dict[str, Any]:
    """Some of the four templates, one of them perhaps as it is packaged."""
    kinds = draw(st.lists(st.sampled_from(KINDS), unique=True))
    return {
        kind: {"text": draw(st.just(DEFAULT_TEXTS[kind]) | texts.map(partial(template_of, kind))), "path": kind}
        for kind in kinds
    }


def template_of(kind: ItemKind, text: str) -> str:
    return braceless(text) + "".join(f"{{{name}}}" for name in OWN[kind]) + braceless(text)


@st.composite
def arms(draw: st.DrawFn, name: str) -> dict[str, Any]:
    own = draw(st.none() | instructions())
    return {"path": f"{name}.txt", "text": draw(prompts)} | ({} if own is None else {"task_instructions": own})


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    temps = draw(st.lists(st.integers(0, 2000), min_size=1, max_size=4, unique=True))
    return base() | {
        "question": draw(texts.filter(lambda text: "${" not in text)),
        "prompt_sets": {"main": {arm: draw(arms(arm)) for arm in ("control", "treatment")}},
        "task_instructions": draw(instructions()),
        "subgroups": draw(st.lists(st.text(st.sampled_from("aB 1:,'\"#"), min_size=1, max_size=5), unique=True)),
        "temps": [number / 1000 for number in temps],
        "samples_per_item": {repr(number / 1000): draw(st.integers(1, 9)) for number in temps},
        "top_p": draw(shares),
        "stats": {"confidence": draw(shares), "tost_margins": {"em": draw(st.floats(1e-300, 1e300))}},
        "limit_items": draw(st.none() | st.integers(1, 2**31 - 1)),
    }


def braceless(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


@given(configurations())
@settings(max_examples=50, deadline=None)
def test_the_effective_configuration_reads_back_to_the_same_values(config: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "effective_config.yaml"
        path.write_bytes(to_yaml(config))
        read = load_config(path, {})
        first = tree_of(read)
        path.write_bytes(to_yaml(first))
        read_again = load_config(path, {})
        second = tree_of(read_again)
    sent, sent_again = ([arm.templates for arm in trials_of(each.experiment)[0].arms] for each in (read, read_again))
    assert sent_again == sent
    assert second == first
    assert config_hash(second) == config_hash(first)
    assert first["top_p"] == config["top_p"]
    assert first["temps"] == config["temps"]
    assert first["prompt_sets"]["main"]["control"]["text"] == config["prompt_sets"]["main"]["control"]["text"].rstrip(
        "\n"
    )


@given(st.integers(0, 2000))
def test_every_temperature_in_thousandths_is_allowed_and_kept(number: int) -> None:
    from pydantic import TypeAdapter

    from promptrial.config.sampling import Temperature

    assert TypeAdapter(Temperature).validate_python(number / 1000) == number / 1000
