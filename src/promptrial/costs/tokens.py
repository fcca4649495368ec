"""How many tokens requests and their answers will be: by a tokenizer, by what was answered, or by default. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from promptrial.costs.bands import Band
from promptrial.costs.characters import Characters, RequestSize, characters_of

__all__ = [
    "DEFAULT_RATES",
    "EXPECTED_SHARE",
    "MIN_MEASURED",
    "PER_MESSAGE",
    "Estimated",
    "Measured",
    "TokenSource",
    "fewest_tokens",
    "input_tokens",
    "output_tokens",
]

TokenSource = Literal["tokenizer", "answers", "default"]
"""Where a number of tokens comes from: the model's own tokenizer counted it, answers of this run show it, or it is a
default that is stated with its band."""

DEFAULT_RATES: Final[Mapping[str, Band]] = MappingProxyType(
    {
        "letters": Band(0.19, 0.22, 0.38),
        "digits": Band(0.33, 0.6, 1.2),
        "marks": Band(0.3, 0.6, 1.0),
        "latin": Band(0.3, 1.4, 3.0),
        "cyrillic": Band(0.25, 0.45, 1.4),
        "greek": Band(0.35, 0.95, 1.6),
        "semitic": Band(0.3, 0.7, 1.6),
        "indic": Band(0.4, 1.2, 3.2),
        "han": Band(0.55, 1.0, 2.4),
        "hangul": Band(0.6, 1.1, 3.0),
        "other": Band(0.4, 1.5, 4.0),
    }
)
"""Tokens of a character by kind (see ``Characters``), from old and small vocabularies to new and large ones.

Measured on text in 38 languages with the tokenizers of GPT-2 (50,000 tokens), Mistral 7B (32,000), Claude 2 (65,000),
GPT-4 (100,000), Mistral NeMo (131,000) and Qwen (152,000): ``docs/adr/0038`` has the figures. The limits enclose all
six in every language, and the figure expected is about what the four newest take.
"""
_RATES: Final = tuple(DEFAULT_RATES[kind] for kind in Characters._fields)
PER_MESSAGE: Final = Band(1, 5, 20)
"""Tokens that a chat template adds to each message: 3 of OpenAI's older models, 6 of ChatML, 17 of Llama 3.1 with its
dates."""
EXPECTED_SHARE: Final = 0.25
"""Which part of its limit an answer is expected to use as long as no answer is known."""
MIN_MEASURED: Final = 5
"""From how many answered requests on a measurement counts."""
_Z: Final = 1.959964
"""Two-sided 95% quantile of the normal distribution."""


class Estimated(NamedTuple):
    """A number of tokens, and where it comes from."""

    tokens: Band
    source: TokenSource


@dataclass(frozen=True, slots=True)
class Measured:
    """What answered requests took, summed up: of one arm, and of requests like those that are still to be sent.

    Parameters
    ----------
    requests : int
        How many of them.
    size : float
        Tokens of input that the defaults expect of them.
    input, output : float
        Tokens of input and output that were reported for them; reasoning is output.
    size_squared, input_squared, output_squared, size_times_input : float
        Sums over the single requests.
    per_item : int
        How many requests there are about one item: replicates, temperatures and arms. What these take goes together,
        so that an interval counts items, as if all requests about one took the same.
    """

    requests: int = 0
    size: float = 0
    input: float = 0
    output: float = 0
    size_squared: float = 0
    input_squared: float = 0
    output_squared: float = 0
    size_times_input: float = 0
    per_item: int = 1

    @classmethod
    def of(cls, sent: RequestSize, input_tokens: int, output_tokens: int) -> Measured:
        """Return what one request took."""
        size, took, out = _by_default(sent).expected, float(input_tokens), float(output_tokens)
        return cls(1, size, took, out, size * size, took * took, out * out, size * took)

    def __add__(self, other: Measured) -> Measured:
        return Measured(
            self.requests + other.requests,
            self.size + other.size,
            self.input + other.input,
            self.output + other.output,
            self.size_squared + other.size_squared,
            self.input_squared + other.input_squared,
            self.output_squared + other.output_squared,
            self.size_times_input + other.size_times_input,
            max(self.per_item, other.per_item),
        )


def input_tokens(
    sent: RequestSize, *, tokenized: Measured | None = None, measured: Measured | None = None
) -> Estimated:
    """Return how many tokens of input requests will be.

    Parameters
    ----------
    sent : RequestSize
        Of exactly the requests that are still to be sent, of one arm.
    tokenized : Measured, optional
        What the model's own tokenizer makes of some of them, or of all.
    measured : Measured, optional
        What requests of the same arm took. Counts from ``MIN_MEASURED`` requests on, as does ``tokenized``.

    Returns
    -------
    Estimated
        With the best source that there is. Unless all were counted, the band of the first two is a 95% prediction
        interval of the ratio estimator (Cochran 1977, Sampling Techniques, section 6.4): how many tokens some requests
        have for each that the default expects, times the tokens that the default expects of these.
    """
    by_default = _by_default(sent)
    if tokenized is not None and tokenized.requests == sent.requests:
        return Estimated(Band.exactly(tokenized.input), "tokenizer")
    if tokenized is not None and _counts(tokenized):
        return Estimated(_by_ratio(sent, by_default.expected, tokenized), "tokenizer")
    if measured is not None and _counts(measured):
        return Estimated(_by_ratio(sent, by_default.expected, measured), "answers")
    return Estimated(by_default, "default")


def output_tokens(requests: int, limit: int, *, measured: Measured | None = None) -> Estimated:
    """Return how many tokens of output requests will be given.

    Parameters
    ----------
    requests : int
        How many are still to be sent, of one arm.
    limit : int
        The most tokens that all of them together may be answered with: max tokens and the budget for thinking.
    measured : Measured, optional
        What requests of the same arm took. Counts from ``MIN_MEASURED`` requests on.

    Returns
    -------
    Estimated
        Without a measurement nothing is known but the limit: from one token a request up to the limit, and
        ``EXPECTED_SHARE`` of it expected. With one, the mean and a 95% prediction interval, at most the limit.
    """
    floor = min(requests, limit)
    if measured is None or measured.requests < MIN_MEASURED:
        return Estimated(Band(floor, max(floor, EXPECTED_SHARE * limit), limit), "default")
    n = measured.requests
    mean = measured.output / n
    deviation = _deviation(measured.output_squared - n * mean**2, n)
    found = _around(mean * requests, deviation * math.sqrt(requests + requests**2 / n), measured)
    return Estimated(Band(*(min(each, limit) for each in (found.low, found.expected, found.high))), "answers")


def _counts(found: Measured) -> bool:
    return found.requests >= MIN_MEASURED and found.size > 0 and found.input > 0


def _by_ratio(sent: RequestSize, size: float, found: Measured) -> Band:
    """Return the tokens of requests of which the default expects ``size``, as those of others show."""
    ratio, mean = found.input / found.size, found.size / found.requests
    residual = found.input_squared - 2 * ratio * found.size_times_input + ratio**2 * found.size_squared
    deviation = _deviation(residual, found.requests)
    spread = deviation * math.sqrt(sent.requests + (size / mean) ** 2 / found.requests)
    return _around(ratio * size, spread, found)


def fewest_tokens(text: str) -> int:
    """Return how many tokens a text has at least: one for each word, or one for four characters of Chinese writing.

    No tokenizer in use joins words that are separated by spaces.

    Examples
    --------
    >>> fewest_tokens("two words"), fewest_tokens("東京は日本の首都")
    (2, 2)
    """
    return max(len(text.split()), characters_of(text).han // 4)


def _by_default(sent: RequestSize) -> Band:
    """Add up what each kind of character comes to, without a band for each: thousands of requests are sized alone."""
    messages = sent.messages
    low, expected, high = PER_MESSAGE.low * messages, PER_MESSAGE.expected * messages, PER_MESSAGE.high * messages
    for rate, count in zip(_RATES, sent.characters, strict=True):
        low += rate.low * count
        expected += rate.expected * count
        high += rate.high * count
    return Band(low, expected, high)


def _deviation(squares: float, n: int) -> float:
    return math.sqrt(max(0.0, squares) / (n - 1))


def _around(expected: float, spread: float, found: Measured) -> Band:
    """Return an interval; ``spread`` is that of a sum over independent requests."""
    width = _t_quantile(max(1.0, found.requests / found.per_item - 1)) * spread * math.sqrt(found.per_item)
    return Band(max(0.0, expected - width), expected, expected + width)


def _t_quantile(degrees: float) -> float:
    """Return the two-sided 95% quantile of Student's t, to three per mille from 4 degrees of freedom on.

    Abramowitz and Stegun (1964), 26.7.5.
    """
    z = _Z
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3
