"""About what the requests of a part will cost, as the plan says before anything is answered. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, reduce

from promptrial.costs.ahead import NO_CACHE, CacheBand, CacheShare, usd_ahead
from promptrial.costs.characters import RequestSize, characters_of, size_of
from promptrial.costs.price_book import PriceBook
from promptrial.costs.tokens import input_tokens, output_tokens
from promptrial.model import Arm, ModelSpec
from promptrial.providers.request_rows import RequestRow

__all__ = ["cache_ahead", "part_estimate", "requests_estimate"]


def cache_ahead(arm: Arm, sent: RequestSize) -> CacheBand:
    """Return which part of the input of requests a cache is expected to read and write, before there are answers.

    At best the whole system prompt is read from a cache, and else none of it; where it is to be cached, it is then
    written to one.
    """
    share = sent.requests * characters_of(arm.prompt.text).total / max(1, sent.characters.total)
    rest = CacheShare(written=share if arm.model.options.cache_prompt != "off" else 0.0)
    return CacheShare(read=share), rest, rest


def part_estimate(
    prices: PriceBook, arm: Arm, longest: int, requests: Callable[[], Iterator[RequestRow]]
) -> Callable[[int, int], float | None]:
    """Return what says about how much so many requests of a part will cost in USD, given their number and bytes.

    It is what the plan expects before there are answers, and stays that: an estimate on record does not depend on
    which answers had arrived when it was made.

    Parameters
    ----------
    prices : PriceBook
    arm : Arm
    longest : int
        The most tokens of one answer, thinking included.
    requests : callable
        Opens the requests of the part, which are read for each estimate.

    Returns
    -------
    callable
        (rows, bytes) -> USD; None for a model without a price. Of some of the requests, which are not distinguished,
        the estimate is their share of the rows.
    """
    return requests_estimate(prices, arm.model, longest, requests, partial(cache_ahead, arm))


def requests_estimate(
    prices: PriceBook,
    model: ModelSpec,
    longest: int,
    requests: Callable[[], Iterator[RequestRow]],
    cache: Callable[[RequestSize], CacheBand] = lambda _sent: NO_CACHE,
) -> Callable[[int, int], float | None]:
    """Return the same for requests to a model; ``cache`` says which part of their input a cache has, given its size."""

    def estimate(rows: int, _size: int) -> float | None:
        price = prices.of(model)
        if price is None:
            return None
        sent = _sent(requests())
        tokens_in = input_tokens(sent).tokens.scaled(rows / max(sent.requests, 1))
        return usd_ahead(price, tokens_in, output_tokens(rows, rows * longest).tokens, cache(sent)).expected

    return estimate


def _sent(requests: Iterator[RequestRow]) -> RequestSize:
    sizes = (size_of(message.content for message in row.body.messages) for row in requests)
    return reduce(RequestSize.plus, sizes, RequestSize())
