"""The vendor's own SDK, driven against an emulator in a process and a folder where no other ``fireworks`` is.

Reads what to do from stdin, as JSON: ``{"scenario", "account", "model", "dataset", "job", "requests", "rows"}``. Writes
what the SDK made of the answers to stdout, as JSON. It shares no code with the program; only names are given.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

Plan = dict[str, Any]
POLLS = 20
ENDED = {"JOB_STATE_COMPLETED", "JOB_STATE_FAILED", "JOB_STATE_EXPIRED", "JOB_STATE_CANCELLED"}


class Sdk:
    """The SDK's calls, one method a step of a batch."""

    def __init__(self) -> None:
        # By name, because where the types are checked this is our own folder of that name.
        package = importlib.import_module("fireworks")
        self.version: str = package.__version__
        self.refused: type[Exception] = package.APIStatusError
        # An answer that its types do not allow is an error, and a call is made once, as by our own client.
        self.client = package.Fireworks(_strict_response_validation=True, max_retries=0)
        self.completion_type = importlib.import_module("fireworks.types.chat").CompletionCreateResponse
        self.plain = httpx.Client()

    # --- steps -----------------------------------------------------------------------------------------------------

    def dataset(self, plan: Plan) -> Plan:
        """Return a data set as it is now."""
        return read(self.client.datasets.with_raw_response.get(plan["dataset"]))

    def create_dataset(self, plan: Plan) -> Plan:
        about = {"user_uploaded": {}, "example_count": str(plan["rows"]), "display_name": plan["dataset"]}
        return read(self.client.datasets.with_raw_response.create(dataset_id=plan["dataset"], dataset=about))

    def by_form(self, plan: Plan) -> Plan:
        file = (f"{plan['dataset']}.jsonl", Path(plan["requests"]).read_bytes(), "application/octet-stream")
        return read(self.client.datasets.with_raw_response.upload(plan["dataset"], file=file))

    def by_signed_url(self, plan: Plan) -> Plan:
        content, name = Path(plan["requests"]).read_bytes(), f"{plan['dataset']}.jsonl"
        size = str(len(content))
        answer = self.client.datasets.get_upload_endpoint(plan["dataset"], filename_to_size={name: size})
        headers = {"Content-Type": "application/octet-stream", "X-Goog-Content-Length-Range": f"{size},{size}"}
        self.plain.put(answer.filename_to_signed_urls[name], content=content, headers=headers).raise_for_status()
        return {"validated": self.client.datasets.validate_upload(plan["dataset"], body={})}

    def create_job(self, plan: Plan) -> Plan:
        prefix = f"accounts/{plan['account']}/datasets/"
        made = self.client.batch_inference_jobs.with_raw_response.create(
            batch_inference_job_id=plan["job"],
            model=plan["model"],
            input_dataset_id=prefix + plan["dataset"],
            output_dataset_id=prefix + plan.get("output", f"{plan['job']}-out"),
            display_name=plan["job"],
        )
        return read(made)

    def job(self, plan: Plan) -> Plan:
        """Return a job as it is now."""
        return read(self.client.batch_inference_jobs.with_raw_response.get(plan["job"]))

    def polled(self, plan: Plan) -> list[Plan]:
        """Return what the job was each time that it was asked for, to its end."""
        found: list[Plan] = []
        while len(found) < POLLS and (not found or found[-1]["read"]["state"] not in ENDED):
            found.append(self.job(plan))
        return found

    def urls(self, plan: Plan) -> dict[str, str]:
        answer = self.client.datasets.get_download_endpoint(f"{plan['job']}-out")
        return dict(answer.filename_to_signed_urls)

    def files(self, plan: Plan) -> dict[str, str]:
        """Return the output by file name, each from a URL of its own, as our client gets them."""
        names = sorted(self.urls(plan), key=lambda name: (not name.endswith(".jsonl"), name))
        return {name: self.plain.get(self.urls(plan)[name]).raise_for_status().text for name in names}

    def completion(self, line: str) -> Plan:
        """Return a row's answer as the SDK's type of a chat completion reads it."""
        row = json.loads(line)
        answer = self.completion_type.model_validate(row["response"], strict=True)
        return {
            "wire_id": row["custom_id"],
            "text": answer.choices[0].message.content,
            "finish_reason": answer.choices[0].finish_reason,
            "request_id": answer.id,
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "total_tokens": answer.usage.total_tokens,
            "cached_tokens": answer.usage.prompt_tokens_details.cached_tokens,
        }

    def refusal(self, call: Callable[[], Any]) -> Plan:
        """Return the error of a call that is refused."""
        try:
            call()
        except self.refused as error:
            return {"class": type(error).__name__, "status": error.status_code, "body": error.body}  # type: ignore[attr-defined]
        return {"class": None}

    # --- scenarios -------------------------------------------------------------------------------------------------

    def form(self, plan: Plan) -> Plan:
        return self._batch(plan, self.by_form)

    def signed(self, plan: Plan) -> Plan:
        return self._batch(plan, self.by_signed_url)

    def _batch(self, plan: Plan, upload: Callable[[Plan], Any]) -> Plan:
        """Do what our client does for a part, from its check to the end."""
        self.client.batch_inference_jobs.list(page_size=1)
        owner, model = plan["model"].split("/")[1::2]
        found: Plan = {
            "model": read(self.client.models.with_raw_response.get(model, account_id=owner)),
            "no dataset": self.refusal(lambda: self.dataset(plan)),
            "datasets": [self.create_dataset(plan)],
            "upload": upload(plan),
        }
        found["datasets"] += [self.dataset(plan), self.dataset(plan)]
        found["no job"] = self.refusal(lambda: self.job(plan))
        found["jobs"] = [self.create_job(plan), *self.polled(plan)]
        found["files"] = self.files(plan)
        found["completions"] = [self.completion(line) for text in found["files"].values() for line in text.splitlines()]
        self.client.batch_inference_jobs.delete(plan["job"])
        return found

    def paging(self, plan: Plan) -> Plan:
        """Make data sets and jobs, list them page by page in several ways, and delete them."""
        names = [f"{plan['dataset']}-{number}" for number in range(5)]
        for number, name in enumerate(names):
            self._started({**plan, "dataset": name, "job": f"job-{number}"})
        datasets, jobs = self.client.datasets, self.client.batch_inference_jobs
        newest_first = jobs.list(page_size=2, order_by="create_time desc").iter_pages()
        found = {
            "datasets": ids(datasets.list(page_size=2, filter="display_name != ''")),
            "jobs": ids(jobs.list(page_size=2)),
            "pages": [ids(page.batch_inference_jobs) for page in newest_first],
            "filtered": ids(jobs.list(filter='display_name = "job-3"')),
            "masked": jobs.get("job-1", read_mask="name,display_name").to_dict(),
        }
        for name in names:
            datasets.delete(name)
        found["left"] = ids(datasets.list(filter="display_name != ''"))
        return found

    def refusals(self, plan: Plan) -> Plan:
        """Ask for what is refused."""
        self._started(plan)
        too_soon = {**plan, "dataset": "never-filled", "job": "too-soon"}
        self.create_dataset(too_soon)
        stranger = self.client.with_options(api_key="another-key")
        asked: dict[str, Callable[[], Any]] = {
            "dataset twice": lambda: self.create_dataset(plan),
            "job twice": lambda: self.create_job({**plan, "output": "another"}),
            "output twice": lambda: self.create_job({**plan, "job": "another", "output": f"{plan['job']}-out"}),
            "input not ready": lambda: self.create_job(too_soon),
            "never made": lambda: self.job({"job": "never-made"}),
            "bad key": lambda: stranger.datasets.get(plan["dataset"]),
            "no count": lambda: self.client.datasets.create(dataset_id="x", dataset={"user_uploaded": {}}),
        }
        return {name: self.refusal(call) for name, call in asked.items()}

    def _started(self, plan: Plan) -> None:
        """Make a job of a data set that is ready."""
        self.create_dataset(plan)
        self.by_form(plan)
        self.dataset(plan)
        self.create_job(plan)


def read(raw: Any) -> Plan:
    """Return an answer as it came, as the SDK's type reads it, and the fields that only one of the two has."""
    parsed, sent = raw.parse(), raw.json()
    declared = {field.alias or name for name, field in type(parsed).model_fields.items()}
    return {
        "sent": sent,
        "read": parsed.to_dict(mode="json", use_api_names=False, exclude_unset=False),
        "undeclared": sorted(sent.keys() - declared),
        "unsent": sorted(declared - sent.keys()),
    }


def ids(things: Any) -> list[str]:
    return [thing.name.rpartition("/")[2] for thing in things]


def main() -> None:
    plan, sdk = json.load(sys.stdin), Sdk()
    json.dump({"version": sdk.version, **getattr(sdk, plan["scenario"])(plan)}, sys.stdout)


if __name__ == "__main__":
    main()
