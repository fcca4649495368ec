"""The emulator's OpenAI files: what an upload brings, how they are listed, sent and forgotten, and who is let in."""

from __future__ import annotations

import gzip

import pytest

from tests.support.emulator_client import jsonl
from tests.support.openai_client import OpenAiClient, batch_rows, error_of, ok
from tests.support.openai_fixtures import Start, openai, shared_openai, start_openai

__all__ = ["openai", "shared_openai", "start_openai"]

CONTENT = jsonl(batch_rows(2))
DAY_S = 86_400


class TestUploading:
    def test_an_upload_is_shown_with_its_name_size_and_expiry(self, openai: OpenAiClient) -> None:
        file = ok(openai.post_file(CONTENT, "nonce.jsonl"))
        assert (file["object"], file["purpose"], file["filename"]) == ("file", "batch", "nonce.jsonl")
        assert file["bytes"] == len(CONTENT)
        assert file["id"].startswith("file-")
        assert file["expires_at"] == file["created_at"] + 30 * DAY_S
        assert ok(openai.http.get(f"files/{file['id']}")) == file

    def test_fields_in_brackets_set_the_expiry(self, openai: OpenAiClient) -> None:
        fields = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        file = ok(openai.post_file(CONTENT, **fields))
        assert file["expires_at"] == file["created_at"] + 3600
        openai.advance(3600)
        assert error_of(openai.http.get(f"files/{file['id']}")) == (404, None, "id")
        assert file["id"] not in {each["id"] for each in ok(openai.http.get("files"))["data"]}

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"expires_after[anchor]": "now", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "3599"}, "expires_after.seconds"),
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "2592001"}, "expires_after.seconds"),
            ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "soon"}, "expires_after.seconds"),
            ({"expires_after[anchor]": "created_at"}, "expires_after.seconds"),
            ({"purpose": "anything"}, "purpose"),
            ({"purpose": ""}, "purpose"),
        ],
    )
    def test_a_field_that_is_wrong_is_named(self, openai: OpenAiClient, fields: dict[str, str], param: str) -> None:
        reply = openai.post_file(CONTENT, **fields)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)

    def test_a_file_for_a_batch_must_be_json_lines(self, openai: OpenAiClient) -> None:
        assert openai.post_file(CONTENT, "rows.json").status_code == 400

    def test_a_form_without_a_file_is_refused(self, openai: OpenAiClient) -> None:
        assert openai.http.post("files", data={"purpose": "batch"}).status_code == 400

    def test_a_file_above_the_limit_is_refused_and_leaves_nothing(self, start_openai: Start) -> None:
        openai = start_openai(file_bytes=len(CONTENT))
        assert openai.post_file(CONTENT).status_code == 200
        assert openai.post_file(CONTENT + b"\n").status_code == 413
        assert [row["facts"]["bytes"] for row in openai.ledger()] == [len(CONTENT)]

    def test_the_ledger_records_each_upload(self, openai: OpenAiClient) -> None:
        name = openai.file(3)
        (entry,) = [row for row in openai.ledger("upload") if row["id"] == name]
        assert (entry["facts"]["rows"], entry["facts"]["filename"]) == (3, "in.jsonl")


class TestListing:
    def test_pages_follow_each_other_with_the_newest_first(self, start_openai: Start) -> None:
        openai = start_openai()
        names = [openai.file(1) for _ in range(5)][::-1]
        first = ok(openai.http.get("files", params={"limit": 2}))
        assert [each["id"] for each in first["data"]] == names[:2]
        assert (first["first_id"], first["last_id"], first["has_more"]) == (names[0], names[1], True)
        rest = ok(openai.http.get("files", params={"limit": 3, "after": first["last_id"]}))
        assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (names[2:], False)
        upwards = ok(openai.http.get("files", params={"order": "asc"}))
        assert [each["id"] for each in upwards["data"]] == names[::-1]

    def test_the_list_can_be_filtered_by_purpose(self, start_openai: Start) -> None:
        openai = start_openai()
        batch, other = openai.file(1), ok(openai.post_file(b"x", "x.txt", purpose="user_data"))["id"]
        found = {
            purpose: [each["id"] for each in ok(openai.http.get("files", params={"purpose": purpose}))["data"]]
            for purpose in ("batch", "user_data", "vision")
        }
        assert found == {"batch": [batch], "user_data": [other], "vision": []}

    @pytest.mark.parametrize(
        ("query", "param"),
        [
            ({"limit": "0"}, "limit"),
            ({"limit": "x"}, "limit"),
            ({"after": "nobody"}, "after"),
            ({"order": "up"}, "order"),
        ],
    )
    def test_a_query_that_is_wrong_is_refused(self, openai: OpenAiClient, query: dict[str, str], param: str) -> None:
        assert error_of(openai.http.get("files", params=query)) == (400, "invalid_value", param)


class TestContent:
    def test_a_download_is_chunked_and_has_no_length(self, openai: OpenAiClient) -> None:
        reply = openai.http.get(f"files/{openai.file(2)}/content")
        assert reply.content == CONTENT
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["transfer-encoding"] == "chunked"
        assert "content-length" not in reply.headers
        assert reply.headers["content-disposition"] == 'attachment; filename="in.jsonl"'

    def test_a_download_can_be_compressed(self, start_openai: Start) -> None:
        openai = start_openai(gzip=True)
        name = openai.file(2)
        with openai.http.stream("GET", f"files/{name}/content") as reply:
            assert gzip.decompress(b"".join(reply.iter_raw())) == CONTENT
        plain = openai.http.get(f"files/{name}/content", headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == CONTENT

    def test_a_deleted_file_is_gone(self, openai: OpenAiClient) -> None:
        name = openai.file(1)
        assert ok(openai.http.delete(f"files/{name}")) == {"id": name, "object": "file", "deleted": True}
        for reply in (
            openai.http.get(f"files/{name}"),
            openai.http.get(f"files/{name}/content"),
            openai.http.delete(f"files/{name}"),
        ):
            assert error_of(reply) == (404, None, "id")
        assert [row["id"] for row in openai.ledger("delete_file")][-1] == name


class TestTheDoor:
    @pytest.mark.parametrize(
        "headers",
        [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "emulator-key"}, {"api-key": "wrong"}],
    )
    def test_a_wrong_key_is_401_and_is_not_repeated(self, openai: OpenAiClient, headers: dict[str, str]) -> None:
        reply = openai.plain.get("/v1/files", headers=headers)
        assert error_of(reply) == (401, "invalid_api_key", None)
        assert "wrong" not in reply.text

    @pytest.mark.parametrize(
        "headers",
        [
            {"api-key": "emulator-key"},
            {"Authorization": "Bearer emulator-key", "OpenAI-Organization": "org-x", "OpenAI-Project": "proj-x"},
        ],
    )
    @pytest.mark.parametrize("prefix", ["", "/openai"])
    def test_keys_and_paths_of_other_hosts_lead_to_the_same_files(
        self, openai: OpenAiClient, headers: dict[str, str], prefix: str
    ) -> None:
        name = openai.file(1)
        there = OpenAiClient(openai.url, prefix=prefix, headers=headers)
        assert there.content(name) == openai.content(name)
        there.close()

    def test_every_answer_has_a_name_of_its_own(self, openai: OpenAiClient) -> None:
        replies = [openai.http.get("files"), openai.http.get("files/none"), openai.plain.get("/v1/batches"),
                   openai.http.get("nothing"), openai.http.put("files")]  # fmt: skip
        assert [reply.status_code for reply in replies] == [200, 404, 401, 404, 405]
        assert len({reply.headers["x-request-id"] for reply in replies}) == len(replies)
        for reply in replies[1:]:
            error_of(reply)
