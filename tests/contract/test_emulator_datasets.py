"""The data set calls of the emulated Fireworks API, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.emulator_client import EmulatorClient, chat_row, jsonl
from tests.support.emulator_fixtures import Start, emulator, shared, start

__all__ = ["emulator", "shared", "start"]


def refusal(reply: httpx.Response) -> tuple[int, int]:
    """Return the status and the gRPC code of a refusal in the control plane's envelope."""
    body = reply.json()
    assert sorted(body) == ["code", "details", "message"]
    assert body["details"] == []
    return reply.status_code, body["code"]


class TestJson:
    def test_snake_case_and_camel_case_are_read_and_camel_case_is_written(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        body = {"dataset_id": name, "dataset": {"example_count": 3, "display_name": "D", "userUploaded": {}}}
        shown = emulator.http.post("datasets", json=body).json()
        assert shown["name"] == f"accounts/emulator/datasets/{name}"
        assert shown["displayName"] == "D"
        assert shown["exampleCount"] == "3", "64-bit integers are strings"
        assert shown["format"] == "FORMAT_UNSPECIFIED"

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"datasetId": "a", "dataset": {"exampleCount": "1", "rows": 1}}, 'unknown field "dataset.rows"'),
            ({"datasetId": "a", "extra": 1, "dataset": {"exampleCount": "1"}}, 'unknown field "extra"'),
            ({"datasetId": "a", "dataset_id": "a", "dataset": {}}, 'duplicate field "dataset_id"'),
            ({"datasetId": 7, "dataset": {"exampleCount": "1"}}, "invalid value 7 for string"),
            ({"datasetId": "a", "dataset": {"exampleCount": "many"}}, "dataset.exampleCount"),
            ({"datasetId": "a", "dataset": {"exampleCount": str(1 << 63)}}, "dataset.exampleCount"),
            ({"datasetId": "a", "dataset": {"exampleCount": "1", "format": "chat"}}, "for enum"),
            ({"datasetId": "a", "dataset": []}, "expected an object"),
            ({"datasetId": "Upper", "dataset": {"exampleCount": "1"}}, "invalid datasetId"),
            ({"datasetId": "a" * 64, "dataset": {"exampleCount": "1"}}, "invalid datasetId"),
        ],
    )
    def test_a_body_that_is_not_the_message_is_refused_with_code_3(
        self, emulator: EmulatorClient, body: Any, said: str
    ) -> None:
        reply = emulator.http.post("datasets", json=body)
        assert refusal(reply) == (400, 3)
        assert said in reply.json()["message"]
        assert emulator.get_dataset("a").status_code == 404

    def test_a_body_that_is_not_json_is_refused_with_code_3(self, emulator: EmulatorClient) -> None:
        assert refusal(emulator.http.post("datasets", content=b"{")) == (400, 3)
        assert refusal(emulator.http.post("datasets", content=b"[" * 100_000)) == (400, 3)


class TestCreating:
    @pytest.mark.parametrize("dataset", [{}, {"userUploaded": {}}, {"exampleCount": "0"}, {"exampleCount": None}])
    def test_the_number_of_examples_is_needed(self, emulator: EmulatorClient, dataset: Any) -> None:
        reply = emulator.http.post("datasets", json={"datasetId": emulator.new(), "dataset": dataset})
        assert refusal(reply) == (400, 3)
        assert "example_count" in reply.json()["message"]

    def test_an_id_cannot_be_used_twice(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        assert emulator.post_dataset(name).status_code == 200
        assert refusal(emulator.post_dataset(name)) == (409, 6)
        assert len(emulator.ledger("create_dataset", name)) == 1

    def test_a_data_set_is_uploading_until_its_content_has_arrived(self, emulator: EmulatorClient) -> None:
        name = emulator.new()
        emulator.post_dataset(name)
        shown = emulator.get_dataset(name).json()
        assert (shown["state"], shown["externalUrl"], shown["status"]["code"]) == ("UPLOADING", "", "OK")
        emulator.post_upload(name, jsonl([chat_row("a")]))
        assert emulator.get_dataset(name).json()["state"] == "READY"


class TestUploadInOneRequest:
    def test_the_answer_describes_the_file(self, emulator: EmulatorClient) -> None:
        name, content = emulator.new(), jsonl([chat_row("a"), chat_row("b")])
        emulator.post_dataset(name, 2)
        shown = emulator.post_upload(name, content).json()
        assert isinstance(shown.pop("created_at"), int)
        assert shown == {
            "id": name, "bytes": len(content), "filename": "in.jsonl", "object": "file", "purpose": "dataset",
        }  # fmt: skip
        (entry,) = emulator.ledger("upload", name)
        assert (entry["facts"]["bytes"], entry["facts"]["rows"]) == (len(content), 2)

    @pytest.mark.parametrize(
        "form",
        [
            {"files": {"data": ("in.jsonl", b"{}\n")}},
            {"data": {"file": "not a file"}},
            {"content": b"{}\n"},
            {"files": [("file", ("a", b"{}")), ("file", ("b", b"{}"))]},
            {"files": {"file": ("in.jsonl", b"")}},
        ],
    )
    def test_anything_but_one_part_named_file_is_refused(self, emulator: EmulatorClient, form: Any) -> None:
        name = emulator.new()
        emulator.post_dataset(name)
        assert refusal(emulator.http.post(f"datasets/{name}:upload", **form)) == (400, 3)
        assert emulator.get_dataset(name).json()["state"] == "UPLOADING"
        assert emulator.ledger("upload", name) == []

    def test_a_file_larger_than_the_cap_is_refused_and_not_kept(self, start: Start, tmp_path: Path) -> None:
        own = start(upload_cap=1000)
        own.post_dataset("d")
        assert refusal(own.post_upload("d", b"x" * 1001)) == (413, 3)
        assert list((tmp_path / "state/files").iterdir()) == []
        assert own.post_upload("d", jsonl([chat_row("a")])).status_code == 200

    def test_a_data_set_that_is_ready_takes_no_more(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        assert refusal(emulator.post_upload(name, b"{}\n")) == (400, 9)


class TestUploadBySignedUrls:
    def endpoint(self, emulator: EmulatorClient, name: str, sizes: dict[str, Any]) -> httpx.Response:
        return emulator.http.post(f"datasets/{name}:getUploadEndpoint", json={"filenameToSize": sizes})

    def started(self, emulator: EmulatorClient, sizes: dict[str, Any]) -> tuple[str, dict[str, str]]:
        name = emulator.new()
        emulator.post_dataset(name)
        urls: dict[str, str] = self.endpoint(emulator, name, sizes).json()["filenameToSignedUrls"]
        return name, urls

    def put(self, url: str, content: bytes, **headers: str) -> httpx.Response:
        size = len(content)
        sent = {"Content-Type": "application/octet-stream", "X-Goog-Content-Length-Range": f"{size},{size}", **headers}
        with httpx.Client() as client:
            return client.put(url, content=content, headers=sent)

    def validate(self, emulator: EmulatorClient, name: str) -> httpx.Response:
        return emulator.http.post(f"datasets/{name}:validateUpload", json={})

    def test_the_uploaded_and_validated_file_is_the_content(self, emulator: EmulatorClient) -> None:
        content = jsonl([chat_row("a")])
        name, urls = self.started(emulator, {"in.jsonl": str(len(content))})
        assert self.put(urls["in.jsonl"], content).status_code == 200
        assert self.validate(emulator, name).json() == {}
        assert emulator.get_dataset(name).json()["state"] == "READY"
        assert emulator.file(name, "in.jsonl") == content
        operations = [row["operation"] for row in emulator.ledger(name=name)]
        assert operations == ["create_dataset", "get_upload_endpoint", "put_signed", "validate_upload"]

    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Type": "text/plain"},
            {"X-Goog-Content-Length-Range": "0,10"},
            {"X-Goog-Content-Length-Range": ""},
        ],
    )
    def test_a_header_that_is_not_the_signed_one_is_refused_in_xml(
        self, emulator: EmulatorClient, headers: dict[str, str]
    ) -> None:
        _, urls = self.started(emulator, {"in.jsonl": 3})
        reply = self.put(urls["in.jsonl"], b"abc", **headers)
        assert reply.status_code == 403
        assert reply.headers["content-type"].startswith("application/xml")
        assert "<Code>SignatureDoesNotMatch</Code>" in reply.text

    def test_a_signed_url_is_valid_only_for_its_method_and_path(self, emulator: EmulatorClient) -> None:
        _, urls = self.started(emulator, {"a": 3, "b": 3})
        assert self.put(urls["a"].replace("/a?", "/b?"), b"abc").status_code == 403
        assert emulator.plain.get(urls["a"]).status_code == 405

    def test_the_key_must_not_be_sent_to_the_storage(self, emulator: EmulatorClient) -> None:
        _, urls = self.started(emulator, {"a": 3})
        reply = self.put(urls["a"], b"abc", Authorization="Bearer emulator-key")
        assert (reply.status_code, "InvalidArgument" in reply.text) == (400, True)

    @pytest.mark.parametrize(("content", "code"), [(b"ab", "EntityTooSmall"), (b"abcd", "EntityTooLarge")])
    def test_a_body_of_another_length_is_refused(self, emulator: EmulatorClient, content: bytes, code: str) -> None:
        _, urls = self.started(emulator, {"a": 3})
        reply = self.put(urls["a"], content, **{"X-Goog-Content-Length-Range": "3,3"})
        assert reply.status_code == 400
        assert code in reply.text

    def test_another_call_replaces_the_set_of_files(self, emulator: EmulatorClient) -> None:
        name, old = self.started(emulator, {"old.jsonl": 3})
        content = jsonl([chat_row("a")])
        new = self.endpoint(emulator, name, {"new.jsonl": len(content)}).json()["filenameToSignedUrls"]
        assert self.put(old["old.jsonl"], b"abc").status_code == 200, "the storage does not know of sets"
        assert refusal(self.validate(emulator, name)) == (400, 9)
        self.put(new["new.jsonl"], content)
        assert self.validate(emulator, name).status_code == 200
        assert [*emulator.urls(name)] == [f"dataset/{name}/new.jsonl"]

    @pytest.mark.parametrize("put", [False, True])
    def test_a_missing_or_empty_file_is_not_validated(self, emulator: EmulatorClient, put: bool) -> None:
        name, urls = self.started(emulator, {"in.jsonl": 0})
        if put:
            assert self.put(urls["in.jsonl"], b"").status_code == 200
        assert refusal(self.validate(emulator, name)) == (400, 9)

    @pytest.mark.parametrize("sizes", [{}, {"a/b": 1}, {"a": -1}, {"a": "x"}])
    def test_invalid_file_names_and_sizes_are_refused(self, emulator: EmulatorClient, sizes: dict[str, Any]) -> None:
        name = emulator.new()
        emulator.post_dataset(name)
        assert refusal(self.endpoint(emulator, name, sizes)) == (400, 3)

    def test_several_files_are_one_content(self, emulator: EmulatorClient) -> None:
        parts = {"a.jsonl": jsonl([chat_row("a")]), "b.jsonl": jsonl([chat_row("b")])}
        name, urls = self.started(emulator, {file: len(content) for file, content in parts.items()})
        for file, content in reversed(parts.items()):
            self.put(urls[file], content)
        self.validate(emulator, name)
        assert [row["custom_id"] for row in emulator.results(emulator.job(name))] == ["a", "b"]


class TestDownloading:
    def test_file_names_begin_with_the_data_set_and_error_data_exists_and_is_empty(
        self, emulator: EmulatorClient
    ) -> None:
        job = emulator.job()
        emulator.states(job)
        assert [*emulator.urls(f"out-{job}")] == [
            f"dataset/out-{job}/BIJOutputSet.jsonl",
            f"dataset/out-{job}/error-data",
        ]
        assert emulator.file(f"out-{job}", "error-data") == b""

    def test_each_call_gives_new_urls(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        assert emulator.urls(name) != emulator.urls(name)

    def test_a_get_with_a_body_and_a_post_are_refused(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        path = f"datasets/{name}:getDownloadEndpoint"
        assert refusal(emulator.http.request("GET", path, json={})) == (400, 3)
        assert refusal(emulator.http.post(path)) == (405, 12)

    def test_a_missing_data_set_is_not_found(self, emulator: EmulatorClient) -> None:
        reply = emulator.http.get("datasets/none:getDownloadEndpoint")
        assert reply.json() == {"code": 5, "message": "resource not found", "details": []}
        assert reply.status_code == 404

    @pytest.mark.parametrize("status", [400, 403])
    def test_a_url_expires_on_the_virtual_clock(self, start: Start, status: int) -> None:
        own = start(clock="manual", expired_status=status)
        name = own.dataset()
        own.advance(20)
        (url,) = own.urls(name).values()
        assert "X-Goog-Expires=599" in url
        own.advance(598)
        assert own.plain.get(url).status_code == 200
        own.advance(1)
        late = own.plain.get(url)
        assert late.status_code == status
        assert late.headers["content-type"].startswith("application/xml")
        assert "<Code>ExpiredToken</Code>" in late.text
        (fresh,) = own.urls(name).values()
        assert own.plain.get(fresh).status_code == 200

    def test_a_changed_url_is_refused(self, emulator: EmulatorClient) -> None:
        (url,) = emulator.urls(emulator.dataset()).values()
        for changed in (url[:-1] + ("0" if url[-1] != "0" else "1"), url.replace("Expires=599", "Expires=9999")):
            assert emulator.plain.get(changed).status_code == 403
        assert emulator.plain.get(url.partition("?")[0]).status_code == 403


class TestListsAndDeletion:
    def listed(self, client: EmulatorClient, **query: Any) -> Any:
        reply = client.http.get("datasets", params=query)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def names(self, page: Any) -> list[str]:
        return [each["name"].rpartition("/")[2] for each in page["datasets"]]

    def test_pages_follow_each_other_in_the_order_of_creation(self, start: Start) -> None:
        own = start()
        for number in range(5):
            own.post_dataset(f"d{number}")
        pages, token = [], ""
        for _ in range(3):
            page = self.listed(own, pageSize=2, **({"pageToken": token} if token else {}))
            pages.append(self.names(page))
            token = page["nextPageToken"]
            assert page["totalSize"] == 5
        assert pages == [["d0", "d1"], ["d2", "d3"], ["d4"]]
        assert token == ""

    def test_a_page_begins_after_the_last_of_the_one_before_whatever_was_added(self, start: Start) -> None:
        own = start()
        for number in range(3):
            own.post_dataset(f"d{number}")
        first = self.listed(own, pageSize=1, orderBy="createTime desc")
        own.post_dataset("d3")
        second = self.listed(own, page_size=1, order_by="createTime desc", page_token=first["nextPageToken"])
        assert (self.names(first), self.names(second)) == (["d2"], ["d1"])

    def test_lists_are_filtered_and_sorted(self, start: Start) -> None:
        own = start()
        for number in (2, 11, 3):
            own.post_dataset(f"d{number}", number)
        assert self.names(self.listed(own, filter="exampleCount > 2")) == ["d11", "d3"]
        assert self.names(self.listed(own, filter='example_count>=3 AND state="UPLOADING"')) == ["d11", "d3"]
        assert self.names(self.listed(own, filter='state != "UPLOADING"')) == []
        assert self.names(self.listed(own, orderBy="name desc")) == ["d3", "d2", "d11"]

    @pytest.mark.parametrize(
        "query",
        [
            {"pageSize": "-1"}, {"pageSize": "ten"}, {"pageToken": "nonsense"}, {"filter": "state"},
            {"filter": "colour=red"}, {"orderBy": "colour"}, {"orderBy": "name sideways"}, {"readMask": "colour"},
        ],
    )  # fmt: skip
    def test_a_query_that_cannot_be_read_is_refused(self, emulator: EmulatorClient, query: dict[str, str]) -> None:
        emulator.dataset()
        assert refusal(emulator.http.get("datasets", params=query)) == (400, 3)

    def test_a_page_token_is_valid_only_for_its_own_list(self, start: Start) -> None:
        own = start()
        own.post_dataset("d0")
        own.post_dataset("d1")
        token = self.listed(own, pageSize=1)["nextPageToken"]
        assert refusal(own.http.get("datasets", params={"pageToken": token, "filter": 'state="READY"'})) == (400, 3)

    def test_a_page_has_50_entries_by_default_and_at_most_200(self, start: Start) -> None:
        own = start()
        for number in range(201):
            own.post_dataset(f"d{number}")
        assert len(self.listed(own)["datasets"]) == 50
        assert len(self.listed(own, pageSize=1000)["datasets"]) == 200

    def test_a_read_mask_leaves_the_other_fields_out(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        shown = emulator.http.get(f"datasets/{name}", params={"readMask": "state,example_count"}).json()
        assert shown == {"state": "READY", "exampleCount": "2"}

    def test_a_deleted_data_set_is_gone(self, emulator: EmulatorClient) -> None:
        name = emulator.dataset()
        assert emulator.http.delete(f"datasets/{name}").json() == {}
        assert refusal(emulator.get_dataset(name)) == (404, 5)
        assert refusal(emulator.http.delete(f"datasets/{name}")) == (404, 5)
        assert len(emulator.ledger("delete_dataset", name)) == 1


class TestWhoIsLetIn:
    @pytest.mark.parametrize("headers", [{"Authorization": "Bearer wrong"}, {"Authorization": "emulator-key"}])
    def test_a_bad_key_is_refused_in_the_gateways_envelope(
        self, emulator: EmulatorClient, headers: dict[str, str]
    ) -> None:
        reply = emulator.http.get("datasets", headers=headers)
        assert reply.status_code == 403
        assert reply.json()["error"] == {
            "message": "unauthorized", "code": "UNAUTHORIZED", "param": None, "type": "error",
        }  # fmt: skip
        assert "request_id" in reply.json()

    def test_no_key_is_a_bad_key(self, emulator: EmulatorClient) -> None:
        assert emulator.plain.get(f"{emulator.url}/v1/accounts/emulator/datasets").status_code == 403

    def test_an_account_that_is_not_the_keys_is_not_found(self, emulator: EmulatorClient) -> None:
        assert refusal(emulator.http.get(f"{emulator.url}/v1/accounts/other/datasets")) == (404, 5)

    @pytest.mark.parametrize(
        ("method", "path", "status"), [("GET", "/v1/accounts/x/y", 404), ("POST", "/v1/accounts/x", 404)]
    )
    def test_a_path_without_an_operation_is_not_found(
        self, emulator: EmulatorClient, method: str, path: str, status: int
    ) -> None:
        assert refusal(emulator.http.request(method, emulator.url + path)) == (status, 5)

    def test_another_host_header_is_refused_everywhere(self, emulator: EmulatorClient) -> None:
        for path in ("/__emu/state", "/v1/accounts/emulator/datasets"):
            reply = emulator.http.get(emulator.url + path, headers={"Host": "evil.example"})
            assert (reply.status_code, "host" in reply.text) == (400, True)
