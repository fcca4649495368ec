"""Anthropic's own SDK, driven against an emulator in a process of its own.

Reads what to do from stdin, as JSON: ``{"scenario", "requests", "message", "version"}``. Writes what the SDK made of
the answers to stdout, as JSON. It shares no code with the program; only names are given.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

Plan = dict[str, Any]
POLLS = 20


class Sdk:
    """The SDK's calls, one method a step of a batch."""

    def __init__(self, plan: Plan) -> None:
        package = importlib.import_module("anthropic")  # by name: it is not installed where the types are checked
        self.version: str = package.__version__
        self.refused: type[Exception] = package.APIStatusError
        headers = {"anthropic-version": plan["version"]} if plan["version"] else None
        # An answer that its types do not allow is an error, and a call is made once unless the scenario says otherwise.
        self.client = package.Anthropic(_strict_response_validation=True, max_retries=0, default_headers=headers)
        self.batches = self.client.messages.batches

    # --- steps -----------------------------------------------------------------------------------------------------

    def polled(self, batch: str) -> list[Plan]:
        """Return what the batch was each time that it was asked for, to its end."""
        found: list[Plan] = []
        while len(found) < POLLS and (not found or found[-1]["read"]["processing_status"] != "ended"):
            found.append(read(self.batches.with_raw_response.retrieve(batch)))
        return found

    def results(self, batch: str) -> dict[str, Any]:
        """Return the result of each row by its id, as the SDK's type reads it."""
        return {row.custom_id: row.result.to_dict(mode="json") for row in self.batches.results(batch)}

    def message(self, plan: Plan) -> Plan:
        return read(self.client.messages.with_raw_response.create(**plan["message"]))

    def refusal(self, call: Callable[[], Any]) -> Plan:
        """Return the error of a call that is refused."""
        try:
            call()
        except self.refused as error:
            return {"class": type(error).__name__, "status": error.status_code, "body": error.body}  # type: ignore[attr-defined]
        return {"class": None}

    # --- scenarios -------------------------------------------------------------------------------------------------

    def batch(self, plan: Plan) -> Plan:
        """Make a batch, see it to its end, read its results and delete it; cancel another one."""
        found: Plan = {
            "models": [read(self.client.models.with_raw_response.retrieve(plan["message"]["model"]))],
            "none": self.refusal(lambda: self.batches.retrieve("msgbatch_none")),
            "batches": [read(self.batches.with_raw_response.create(requests=plan["requests"]))],
        }
        name = found["batches"][0]["read"]["id"]
        found["batches"] += self.polled(name)
        found["results"] = self.results(name)
        other = self.batches.create(requests=plan["requests"]).id
        found["batches"].append(read(self.batches.with_raw_response.cancel(other)))
        found["cancelled"] = [self.polled(other)[-1]["read"], self.results(other)]
        third = self.batches.create(requests=plan["requests"][:1]).id
        found["listed"] = [each.id for each in self.batches.list(limit=1)]  # page by page
        found["made"] = [name, other, third]
        found["deleted"] = self.batches.delete(name).to_dict()
        found["messages"] = [self.message(plan)]
        return found

    def part(self, plan: Plan) -> Plan:
        """Do what our client does for a part, from its check to the end."""
        self.batches.list(limit=1)
        self.client.models.retrieve(plan["message"]["model"])
        self.batches.list(limit=100)
        name = self.batches.create(requests=plan["requests"]).id
        statuses = [each["read"]["processing_status"] for each in self.polled(name)]
        results = self.results(name)
        refused = self.refusal(lambda: self.batches.cancel(name))
        live = dict(plan["requests"][0]["params"])
        samplers = {name: live.pop(name) for name in ("temperature", "top_k")}  # it has no arguments for them
        message = self.client.messages.create(**live, extra_body=samplers).to_dict(mode="json")
        return {"statuses": statuses, "results": results, "cancelled": refused, "live": message}

    def refusals(self, plan: Plan) -> Plan:
        """Ask for what is refused."""
        stranger, first = self.client.with_options(api_key="another-key"), plan["requests"][:1]
        running = self.batches.create(requests=first).id
        bad = [{**first[0], "custom_id": "a|b"}]
        asked: dict[str, Callable[[], Any]] = {
            "deleted too soon": lambda: self.batches.delete(running),
            "bad key": stranger.messages.batches.list,
            "bad id": lambda: self.batches.create(requests=bad),
            "id twice": lambda: self.batches.create(requests=first * 2),
            "never made": lambda: self.batches.cancel("msgbatch_none"),
            "sampler": lambda: self.client.messages.create(**plan["message"], extra_body={"temperature": 0.5}),
        }
        return {name: self.refusal(call) for name, call in asked.items()}

    def sampled(self, plan: Plan) -> Plan:
        """Ask with sampler fields, which the SDK passes on though it has no argument for them."""
        rows = [{**row, "params": {**row["params"], "temperature": 0.5}} for row in plan["requests"]]
        batch = self.batches.create(requests=rows).id
        self.polled(batch)
        live = self.refusal(lambda: self.client.messages.create(**plan["message"], extra_body={"temperature": 0.5}))
        return {"results": self.results(batch), "live": live}

    def retried(self, plan: Plan) -> Plan:
        """Create once, with the retries that are the default."""
        client = self.client.with_options(max_retries=2)
        made = client.messages.batches.create(requests=plan["requests"])
        message = client.messages.create(**plan["message"])
        return {"batch": made.id, "message": message.id}


def read(raw: Any) -> Plan:
    """Return an answer as it came, as the SDK's type reads it, and the fields that only one of the two has."""
    parsed, sent = raw.parse(), raw.json()
    declared = set(type(parsed).model_fields)
    return {
        "sent": sent,
        "read": parsed.to_dict(mode="json", exclude_unset=False),
        "undeclared": sorted(sent.keys() - declared),
        "unsent": sorted(declared - sent.keys()),
    }


def main() -> None:
    plan = json.load(sys.stdin)
    sdk = Sdk(plan)
    json.dump({"version": sdk.version, **getattr(sdk, plan["scenario"])(plan)}, sys.stdout)


if __name__ == "__main__":
    main()
