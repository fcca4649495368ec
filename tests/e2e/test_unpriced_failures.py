"""Requests that reached a server and were not answered may have been billed: without a price that is unknown, not 0."""

from __future__ import annotations

import json

from tests.support.hosted_run import QUICK
from tests.support.http_scripted import Reply, json_reply, scripted
from tests.support.project import Project


def test_the_cost_of_unanswered_requests_to_an_unpriced_model_is_unknown(project: Project) -> None:
    with scripted() as server:
        server.on("GET", "/v1/models", json_reply({"data": [{"id": "small"}]}))
        server.on("POST", "/v1/chat/completions", Reply())  # it breaks off
        project.write_config(
            {
                "provider": "server",
                "providers": {"server": {"type": "openai_compatible", "base_url": f"{server.url}/v1"}},
                "models": {"m1": {"id": "small"}},
                "execution": {**QUICK, "outage_s": 0.05},
                "limit_items": 1,
            }
        )
        outcome = project.call("run", "--run_id", "r", "--yes")
    assert outcome.code != 0, outcome.err
    assert any(asked.method == "POST" for asked in server.asked)
    assert "spent: 0 USD" not in project.call("status", "r").out
    ledger = json.loads(project.call("costs", "r", "--json").out)
    assert ledger["total"]["spent"] is None
    (total,) = (line for line in project.call("costs", "r").out.splitlines() if line.startswith("Total"))
    assert total.split()[-4:] == ["-", "-", "-", "8"]
    assert {line["fate"] for line in ledger["lines"]} == {"not_sent", "lost"}
    assert json.loads(project.call("list", "--json").out)["runs"][0]["usd"] is None
