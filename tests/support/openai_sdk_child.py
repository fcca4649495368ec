"""OpenAI's own SDK, driven against an emulator in a process of its own.

Reads what to do from stdin, as JSON: ``{"scenario", "rows", "endpoint", "chat", "response", "key"}``. Writes what the
SDK made of the answers to stdout, as JSON. It shares no code with the program; only names are given.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

Plan = dict[str, Any]
POLLS = 20
ENDED = {"completed", "failed", "expired", "cancelled"}
EXPIRY = {"anchor": "created_at", "seconds": 7200}


class Sdk:
    """The SDK's calls, one method a step of a batch."""

    def __init__(self) -> None:
        package = importlib.import_module("openai")  # by name: it is not installed where the types are checked
        self.version: str = package.__version__
        self.refused: type[Exception] = package.APIStatusError
        # An answer that its types do not allow is an error, and a call is made once unless the scenario says otherwise.
        self.client = package.OpenAI(_strict_response_validation=True, max_retries=0)
        types = importlib.import_module("openai.types.chat"), importlib.import_module("openai.types.responses")
        self.body_types = {"chat.completion": types[0].ChatCompletion, "response": types[1].Response}

    # --- steps -----------------------------------------------------------------------------------------------------

    def upload(self, rows: list[Plan], client: Any = None) -> Plan:
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        files = (client or self.client).files.with_raw_response
        return read(files.create(file=("rows.jsonl", content), purpose="batch", expires_after=EXPIRY))

    def create(self, file: str, plan: Plan, client: Any = None) -> Plan:
        made = (client or self.client).batches.with_raw_response.create(
            input_file_id=file, endpoint=plan["endpoint"], completion_window="24h", metadata={"intent": "i-1"},
            output_expires_after=EXPIRY,
        )  # fmt: skip
        return read(made)

    def polled(self, batch: str) -> list[Plan]:
        """Return what the batch was each time that it was asked for, to its end."""
        found: list[Plan] = []
        while len(found) < POLLS and (not found or found[-1]["read"]["status"] not in ENDED):
            found.append(read(self.client.batches.with_raw_response.retrieve(batch)))
        return found

    def rows(self, file: str | None) -> dict[str, Plan]:
        """Return the rows of a file by their id, those with an answer as the SDK's type reads it."""
        lines = self.client.files.content(file).text.splitlines() if file else []
        found = {}
        for row in map(json.loads, lines):
            body = (row["response"] or {}).get("body") or {}
            if body.get("object") in self.body_types:
                # Strictly: a body that the type does not allow is an error.
                row["read"] = self.body_types[body["object"]].model_validate(body, strict=False).to_dict(mode="json")
            found[row["custom_id"]] = row
        return found

    def refusal(self, call: Callable[[], Any]) -> Plan:
        """Return the error of a call that is refused."""
        try:
            call()
        except self.refused as error:
            told: Any = error
            return {"class": type(error).__name__, "status": told.status_code, "code": told.code, "param": told.param}
        return {"class": None}

    # --- scenarios -------------------------------------------------------------------------------------------------

    def batch(self, plan: Plan) -> Plan:
        """Make a batch, see it to its end and read both files; cancel another one; page through lists."""
        file = self.upload(plan["rows"])
        name = file["read"]["id"]
        made = self.create(name, plan)
        batches = [made, *self.polled(made["read"]["id"])]
        last = batches[-1]["read"]
        other = self.create(name, plan)["read"]["id"]
        batches.append(read(self.client.batches.with_raw_response.cancel(other)))
        return {
            "files": [file, read(self.client.files.with_raw_response.retrieve(last["output_file_id"]))],
            "batches": batches,
            "output": self.rows(last["output_file_id"]),
            "errors": self.rows(last["error_file_id"]),
            "cancelled": self.polled(other)[-1]["read"],
            "made": [made["read"]["id"], other],
            "listed": [each.id for each in self.client.batches.list(limit=1)],  # page by page
            "listed_files": [each.id for each in self.client.files.list(purpose="batch", limit=1)],
            "deleted": self.client.files.delete(name).to_dict(),
        }

    def live(self, plan: Plan) -> Plan:
        """Ask live, and for models."""
        return {
            "chat": [read(self.client.chat.completions.with_raw_response.create(**plan["chat"]))],
            "responses": [read(self.client.responses.with_raw_response.create(**plan["response"]))],
            "text": self.client.responses.create(**plan["response"]).output_text,
            "models": [read(self.client.models.with_raw_response.retrieve("a/b"))],
            "listed": [each.id for each in self.client.models.list()],
        }

    def failing(self, plan: Plan) -> Plan:
        """Make a batch whose rows are wrong, and see how it fails."""
        made = self.create(self.upload(plan["rows"])["read"]["id"], plan)
        return {"last": self.polled(made["read"]["id"])[-1]["read"]}

    def refusals(self, plan: Plan) -> Plan:
        """Ask for what is refused."""
        stranger, file = self.client.with_options(api_key="another-key"), self.upload(plan["rows"])["read"]["id"]
        batches, window = self.client.batches, {"endpoint": plan["endpoint"], "completion_window": "24h"}
        asked: dict[str, Callable[[], Any]] = {
            "bad key": stranger.batches.list,
            "no file": lambda: batches.create(input_file_id="file-none", **window),
            "metadata": lambda: batches.create(input_file_id=file, metadata={"k": "v" * 600}, **window),
            "no batch": lambda: batches.cancel("batch_none"),
            "no content": lambda: self.client.files.content("file-none"),
            "parameter": lambda: self.client.chat.completions.create(**{**plan["chat"], "max_tokens": 0}),
            "no path": lambda: self.client.get("/nothing", cast_to=object),
        }
        return {name: self.refusal(call) for name, call in asked.items()}

    def part(self, plan: Plan) -> Plan:
        """Do for a part what our client does, from the check to the end; ask one of its requests live."""
        batches, files, key = self.client.batches, self.client.files, plan["key"]
        batches.list(limit=1)
        self.client.models.retrieve(plan["rows"][0]["body"]["model"])
        files.list(purpose="batch", limit=1000, order="desc")
        content = b"".join(json.dumps(row).encode() + b"\n" for row in plan["rows"])
        file = files.create(file=(f"{key['promptrial_requests']}.jsonl", content), purpose="batch")
        files.retrieve(file.id)
        batches.list(limit=100)
        made = batches.create(input_file_id=file.id, endpoint=plan["endpoint"], completion_window="24h", metadata=key)
        output = self.polled(made.id)[-1]["read"]["output_file_id"]
        found = {"uploaded": file.to_dict(), "rows": self.rows(output)}
        found["cancelled"] = self.refusal(lambda: batches.cancel(made.id))
        live = self.client.chat.completions if plan["endpoint"].endswith("completions") else self.client.responses
        found["live"] = live.create(**plan["rows"][0]["body"], stream=False).to_dict(mode="json")
        return found

    def retried(self, plan: Plan) -> Plan:
        """Upload, create and ask live once each, with the retries that are the default."""
        client = self.client.with_options(max_retries=2)
        file = self.upload(plan["rows"], client)["read"]["id"]
        batch = self.create(file, plan, client)["read"]["id"]
        return {"file": file, "batch": batch, "chat": client.chat.completions.create(**plan["chat"]).id}


def read(raw: Any) -> Plan:
    """Return an answer as it came, as the SDK's type reads it, and the fields that only one of the two has."""
    parsed, sent = raw.parse(), json.loads(raw.content)
    declared = set(type(parsed).model_fields)
    return {
        "sent": sent,
        "read": parsed.to_dict(mode="json", exclude_unset=False),
        "undeclared": sorted(sent.keys() - declared),
        "unsent": sorted(declared - sent.keys()),
    }


def main() -> None:
    plan = json.load(sys.stdin)
    sdk = Sdk()
    json.dump({"version": sdk.version, **getattr(sdk, plan["scenario"])(plan)}, sys.stdout)


if __name__ == "__main__":
    main()
