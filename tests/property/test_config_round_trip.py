"""Whatever a configuration holds, the one that is written into a run reads back to the same values."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from promptrial.config.effective import config_hash, to_yaml
from promptrial.config.loading import load_config
from tests.support.configs import base, tree_of

# Whatever a UTF-8 file can hold, with more than its share of what means something in YAML.
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0") | st.sampled_from("\n\t\x85:#-'\"{}[]$%&*!|>@`\\")
)
prompts = texts.filter(lambda text: text.strip() != "")
shares = st.floats(0, 1, exclude_min=True, exclude_max=True)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    temps = draw(st.lists(st.integers(0, 2000), min_size=1, max_size=4, unique=True))
    return base() | {
        "question": draw(texts.filter(lambda text: "${" not in text)),
        "prompt_sets": {
            "main": {arm: {"path": f"{arm}.txt", "text": draw(prompts)} for arm in ("control", "treatment")}
        },
        "task_instructions": {
            "open_book": {"path": "o", "text": draw(texts.map(lambda t: braceless(t) + "{context}{question}"))},
            "closed_book": {"path": "c", "text": draw(texts.map(lambda t: "{question}" + braceless(t)))},
        },
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
        first = tree_of(load_config(path, {}))
        path.write_bytes(to_yaml(first))
        second = tree_of(load_config(path, {}))
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

    from promptrial.config.schema import Temperature

    assert TypeAdapter(Temperature).validate_python(number / 1000) == number / 1000
