"""Fetching from a hub: a local HTTP server stands in for it, with small Parquet files made here."""

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptrial.datasets import nq_open, squad_v2, triviaqa
from promptrial.datasets.base import DatasetFormat, HubDefaults
from promptrial.datasets.hub import Hub, HubLocation, locate
from promptrial.errors import ConfigError, PermanentError, PromptrialError, StopRequested, TransientError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "f" * 40
TOKEN = "hf_" + "secret"
NQ = HubLocation("google-research-datasets/nq_open", "nq_open")
TREE = f"/api/datasets/{NQ.repo}/tree/{COMMIT}/nq_open"
RESOLVE = f"/datasets/{NQ.repo}/resolve/{COMMIT}/nq_open"
MAIN = f"/api/datasets/{NQ.repo}/revision/main"


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Announce the whole body, send only so many bytes of it, and hang up."""


@dataclass
class Server:
    """What a server answers to each path, and what it was asked."""

    url: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """The path and the Authorization header of every request."""

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


@contextmanager
def serving() -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers["Authorization"]))
            reply = state.replies.get(self.path, Reply(b"no such thing", 404))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.cut])
            self.close_connection = reply.cut is not None

        def log_message(self, *_: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{httpd.server_port}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def hub(server: Server, tmp_path: Path) -> Hub:
    return Hub(tmp_path / "cache", endpoint=server.url, token=TOKEN, timeout_s=5.0)


def parquet(*rows: dict[str, object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def nq_rows(*questions: str) -> bytes:
    rows: list[dict[str, object]] = [{"question": question, "answer": ["x"]} for question in questions]
    return parquet(*rows)


def entry(path: str, body: bytes, **changes: object) -> dict[str, object]:
    """Return a file's entry in the hub's listing, as a large file is listed."""
    oid = hashlib.sha256(body).hexdigest()
    listed = {"type": "file", "path": path, "size": len(body), "oid": "a" * 40, "lfs": {"oid": oid, "size": len(body)}}
    return listed | changes


def publish(server: Server, files: dict[str, bytes], location: HubLocation = NQ, **changes: object) -> None:
    """Let the server have one configuration: its revision, its listing and its files."""
    api = f"/api/datasets/{location.repo}"
    folder = {"type": "directory", "path": f"{location.config}/more", "oid": "b" * 40, "size": 0}
    listing = [folder] + [entry(f"{location.config}/{name}", body, **changes) for name, body in files.items()]
    server.replies[f"{api}/revision/{location.revision}"] = Reply(json.dumps({"id": "x", "sha": COMMIT}).encode())
    server.replies[f"{api}/tree/{COMMIT}/{location.config}"] = Reply(json.dumps(listing).encode())
    for name, body in files.items():
        path = f"/datasets/{location.repo}/resolve/{COMMIT}/{location.config}/{name}"
        server.replies[path] = Reply(body, headers={"X-Repo-Commit": COMMIT})


def refused(hub: Hub, kind: type[PromptrialError], location: HubLocation = NQ) -> str:
    """Return the error's text, having seen that it holds no token and that nothing is left in the cache."""
    with pytest.raises(kind) as caught:
        hub.fetch(location)
    text = str(caught.value)
    assert caught.value.hint
    assert TOKEN not in text
    assert not [path for path in hub.cache.rglob("*") if path.is_file()]
    return text


ONE = "validation-00000-of-00001.parquet"
ROWS: dict[str, tuple[DatasetFormat, dict[str, object]]] = {
    "squad_v2": (
        squad_v2.FORMAT,
        {"id": "1", "title": "T", "context": "C", "question": "Q", "answers": {"text": ["x"], "answer_start": [0]}},
    ),
    "nq_open": (nq_open.FORMAT, {"question": "Q", "answer": ["x"]}),
    "triviaqa": (
        triviaqa.FORMAT,
        {"question": "Q", "question_id": "1", "answer": {"value": "x", "aliases": ["x"], "normalized_aliases": ["x"]}},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_official_data_set_is_fetched_from_its_own_repository_and_read(
    name: str, server: Server, hub: Hub
) -> None:
    dataset_format, row = ROWS[name]
    assert dataset_format.hub is not None
    location = locate(dataset_format.hub, repo=dataset_format.hub.repo)
    publish(server, {ONE: parquet(row), "train-00000-of-00001.parquet": parquet(row, row)}, location)
    source = hub.fetch(location)
    ((_, item),) = dataset_format.placed(source.paths, "mine")
    assert (item.dataset, item.question, item.answers) == ("mine", "Q", ("x",))
    assert source.commit == COMMIT
    assert not [path for path in server.paths if "train" in path]


def test_two_shards_are_fetched_in_order_with_progress(server: Server, hub: Hub) -> None:
    bodies = {
        "validation-00001-of-00002.parquet": nq_rows("c"),
        "validation-00000-of-00002.parquet": nq_rows("a", "b"),
    }
    publish(server, bodies)
    seen: list[tuple[int, int]] = []
    source = hub.fetch(NQ, progress=lambda done, total: seen.append((done, total)))
    assert [item.question for _, item in nq_open.FORMAT.placed(source.paths, "nq")] == ["a", "b", "c"]
    total = sum(map(len, bodies.values()))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)
    assert [file.digest for file in source.files] == [
        "sha256:" + hashlib.sha256(bodies[name]).hexdigest() for name in sorted(bodies)
    ]


def test_complete_files_in_the_cache_are_not_fetched_again(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})
    first = hub.fetch(NQ)
    server.asked.clear()
    assert hub.fetch(NQ, commit=first.commit) == first
    assert server.paths == []
    assert hub.fetch(NQ) == first  # a branch may have moved: looked up again, but not downloaded
    assert server.paths == [MAIN, TREE]


def test_a_commit_as_revision_needs_no_look_up_and_then_no_network(server: Server, hub: Hub, tmp_path: Path) -> None:
    publish(server, {ONE: nq_rows("a")})
    pinned = HubLocation(NQ.repo, NQ.config, revision=COMMIT)
    source = hub.fetch(pinned)
    assert server.paths == [TREE, f"{RESOLVE}/{ONE}"]
    offline = Hub(tmp_path / "cache", endpoint="http://127.0.0.1:9")
    assert offline.fetch(pinned) == source


def test_cached_files_are_found_without_a_call_and_a_branch_uses_the_last_fetched_commit(
    server: Server, hub: Hub
) -> None:
    assert hub.cached(NQ) is None
    publish(server, {ONE: nq_rows("a")})
    first = hub.fetch(NQ)
    server.asked.clear()
    assert hub.cached(NQ) == hub.cached(NQ, first.commit) == first
    assert hub.cached(NQ, OTHER_COMMIT) is None
    pinned = hub.cached(HubLocation(NQ.repo, NQ.config, revision=COMMIT))
    assert pinned is not None
    assert pinned.paths == first.paths
    first.paths[0].write_bytes(b"damaged")
    assert hub.cached(NQ) is None
    assert server.paths == []


def test_a_resume_insists_on_the_recorded_commit_when_the_branch_has_moved(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})
    server.replies[MAIN] = Reply(json.dumps({"sha": OTHER_COMMIT}).encode())
    assert hub.fetch(NQ, commit=COMMIT).commit == COMMIT
    assert MAIN not in server.paths


@pytest.mark.parametrize("damage", [b"", b"garbage", "same size"])
def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, hub: Hub, damage: bytes | str) -> None:
    body = nq_rows("a")
    publish(server, {ONE: body})
    (path,) = hub.fetch(NQ).paths
    path.write_bytes(damage if isinstance(damage, bytes) else bytes(len(body)))
    hub.fetch(NQ, commit=COMMIT)
    assert path.read_bytes() == body


@pytest.mark.parametrize("listing", [b"", b"{}", b'{"schema_version": 2, "files": []}'])
def test_a_damaged_or_unknown_listing_in_the_cache_is_fetched_again(server: Server, hub: Hub, listing: bytes) -> None:
    publish(server, {ONE: nq_rows("a")})
    source = hub.fetch(NQ)
    (source.folder / "validation.listing.json").write_bytes(listing)
    assert hub.fetch(NQ, commit=COMMIT) == source


def test_a_file_kept_in_git_itself_is_checked_by_its_git_id(server: Server, hub: Hub) -> None:
    body = nq_rows("a")
    git_id = hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
    publish(server, {ONE: body}, lfs=None, oid=git_id)
    assert hub.fetch(NQ).files[0].digest == f"git:{git_id}"
    assert hub.fetch(NQ, commit=COMMIT).commit == COMMIT


def test_a_redirect_to_storage_is_followed_without_the_token(server: Server, hub: Hub) -> None:
    body = nq_rows("a")
    publish(server, {ONE: body})
    with serving() as storage:
        storage.replies["/blob?sig=1"] = Reply(body)
        server.replies[f"{RESOLVE}/{ONE}"] = Reply(
            status=302, headers={"Location": f"{storage.url}/blob?sig=1", "X-Repo-Commit": COMMIT}
        )
        (path,) = hub.fetch(NQ).paths
    assert path.read_bytes() == body
    assert {authorization for _, authorization in server.asked} == {f"Bearer {TOKEN}"}
    assert storage.asked == [("/blob?sig=1", None)]


def test_an_error_at_the_storage_does_not_show_its_signed_address(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})
    with serving() as storage:
        server.replies[f"{RESOLVE}/{ONE}"] = Reply(status=302, headers={"Location": f"{storage.url}/blob?sig=1"})
        text = refused(hub, PermanentError)
    assert "HTTP 404" in text
    assert "sig=1" not in text


def test_a_listing_of_several_pages_is_read_to_its_end(server: Server, hub: Hub) -> None:
    bodies = {f"validation-0000{number}-of-00002.parquet": nq_rows(str(number)) for number in range(2)}
    publish(server, bodies)
    first, second = (json.dumps([entry(f"nq_open/{name}", body)]).encode() for name, body in bodies.items())
    server.replies[TREE] = Reply(first, headers={"Link": f'<{server.url}{TREE}?cursor=2>; rel="next"'})
    server.replies[f"{TREE}?cursor=2"] = Reply(second)
    assert [file.name for file in hub.fetch(NQ).files] == list(bodies)


def test_a_next_page_on_another_server_is_refused_before_the_token_goes_there(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})
    with serving() as elsewhere:
        link = {"Link": f'<{elsewhere.url}/x>; rel="next"'}
        server.replies[TREE] = Reply(server.replies[TREE].body, headers=link)
        assert "the next page is on another server" in refused(hub, PermanentError)
    assert elsewhere.asked == []


@pytest.mark.parametrize(
    "endpoint", ["http://hub.example", "HTTP://hub.example:8080", "http://127.0.0.1.evil.example", "http://10.0.0.8"]
)
def test_a_token_is_not_sent_over_plain_http_to_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setattr(httpx.Client, "send", lambda *_args, **_options: pytest.fail("something was sent"))
    with pytest.raises(ConfigError, match="HF_TOKEN is not sent over plain HTTP to another machine") as caught:
        Hub(tmp_path, endpoint=endpoint, token=TOKEN).fetch(NQ)
    assert TOKEN not in str(caught.value)


def test_no_redirect_takes_the_token_to_plain_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), request.headers.get("authorization")))
        if request.url.scheme == "https":
            return httpx.Response(302, headers={"location": str(request.url.copy_with(scheme="http"))})
        return httpx.Response(404)

    usual = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: usual(**options, transport=httpx.MockTransport(answer)))
    with pytest.raises(PermanentError):
        Hub(tmp_path, endpoint="https://hub.example", token=TOKEN).fetch(NQ)
    assert [(url.partition(":")[0], authorization) for url, authorization in asked] == [
        ("https", f"Bearer {TOKEN}"),
        ("http", None),
    ]


def test_no_token_means_no_authorization_header(server: Server, tmp_path: Path) -> None:
    publish(server, {ONE: nq_rows("a")})
    Hub(tmp_path, endpoint=server.url + "/").fetch(NQ)
    assert {authorization for _, authorization in server.asked} == {None}


def test_the_token_is_not_in_the_text_of_the_hub_object(hub: Hub) -> None:
    assert TOKEN not in repr(hub)


def change_body(reply: Reply) -> None:
    reply.body = bytes([reply.body[0] ^ 1]) + reply.body[1:]


def lengthen(reply: Reply) -> None:
    reply.body += b"more"


def shorten(reply: Reply) -> None:
    reply.body = reply.body[:-7]


def break_off(reply: Reply) -> None:
    reply.cut = 100


def other_commit(reply: Reply) -> None:
    reply.headers["X-Repo-Commit"] = OTHER_COMMIT


@pytest.mark.parametrize(
    ("spoil", "kind", "problem"),
    [
        (change_body, PermanentError, "the hub lists"),
        (lengthen, PermanentError, "more than the"),
        (shorten, TransientError, "the download stopped after"),
        (break_off, TransientError, "RemoteProtocolError"),
        (other_commit, PermanentError, "the hub sent commit 'ffffffffffff' instead"),
    ],
)
def test_bytes_that_differ_from_the_listing_are_never_kept(
    server: Server, hub: Hub, spoil: Callable[[Reply], None], kind: type[PromptrialError], problem: str
) -> None:
    publish(server, {ONE: nq_rows("a")})
    spoil(server.replies[f"{RESOLVE}/{ONE}"])
    text = refused(hub, kind)
    assert problem in text
    assert f"download {ONE} of google-research-datasets/nq_open (nq_open, validation) at 0123456789ab" in text


@pytest.mark.parametrize("step", [MAIN, TREE, f"{RESOLVE}/{ONE}"])
@pytest.mark.parametrize(
    ("status", "kind", "hint"),
    [
        (401, PermanentError, "HF_TOKEN"),
        (403, PermanentError, "HF_TOKEN"),
        (404, PermanentError, "check `repo`"),
        (410, PermanentError, ""),
        (429, TransientError, "try again later"),
        (503, TransientError, "`path`"),
    ],
)
def test_every_refusal_is_classified_and_says_what_to_do(
    server: Server, hub: Hub, step: str, status: int, kind: type[PromptrialError], hint: str
) -> None:
    publish(server, {ONE: nq_rows("a")})
    server.replies[step] = Reply(b"no", status)
    text = refused(hub, kind)
    assert f"HTTP {status}" in text
    assert hint in text


def test_offline_the_error_names_the_step_and_the_way_without_the_hub(tmp_path: Path) -> None:
    text = refused(Hub(tmp_path, endpoint="http://127.0.0.1:9", token=TOKEN), TransientError)
    assert "could not look up revision 'main' of google-research-datasets/nq_open: ConnectError" in text
    assert "use it as the data set's `path`" in text


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1", "127.0.0.1", "http://127.0.0.1:x", ""])
def test_an_invalid_address_is_refused_permanently(tmp_path: Path, endpoint: str) -> None:
    assert "HF_ENDPOINT" in refused(Hub(tmp_path, endpoint=endpoint), PermanentError)


def test_a_hub_that_redirects_in_a_loop_is_refused_permanently(server: Server, hub: Hub) -> None:
    server.replies[MAIN] = Reply(status=302, headers={"Location": MAIN})
    assert "redirects" in refused(hub, PermanentError)


@pytest.mark.parametrize("step", [MAIN, TREE])
@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"sha": 3}', b'[{"path": "x"}]', b"\xff"])
def test_answers_that_are_not_the_hubs_are_refused(server: Server, hub: Hub, step: str, body: bytes) -> None:
    publish(server, {ONE: nq_rows("a")})
    server.replies[step] = Reply(body)
    assert "not a valid answer of the hub" in refused(hub, PermanentError)


def test_an_invalid_commit_is_refused_before_a_path_is_made_from_it(server: Server, hub: Hub) -> None:
    server.replies[MAIN] = Reply(json.dumps({"sha": "../../x"}).encode())
    assert "not a commit of the hub: '../../x'" in refused(hub, PermanentError)
    with pytest.raises(PermanentError, match="not a commit"):
        hub.fetch(NQ, commit="main")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (
            ["train-00000-of-00001.parquet", "test.parquet"],
            "no Parquet file of this split; splits there: ['test', 'train']",
        ),
        (["validation-00000-of-00002.parquet"], "1 of 2 shards are listed"),
        (["../validation.txt"], "no Parquet file of this split"),
        ([], "no Parquet file of this split; splits there: []"),
    ],
)
def test_a_split_that_is_missing_or_lacks_a_shard_is_refused(
    server: Server, hub: Hub, names: list[str], problem: str
) -> None:
    publish(server, {name: nq_rows("a") for name in names})
    assert problem in refused(hub, PermanentError)


def test_a_path_in_the_listing_cannot_leave_the_cache(server: Server, hub: Hub) -> None:
    body = nq_rows("a")
    publish(server, {ONE: body})
    server.replies[TREE] = Reply(json.dumps([entry(f"nq_open/../../../{ONE}", body)]).encode())
    (path,) = hub.fetch(NQ).paths
    assert path.is_relative_to(hub.cache)


def test_a_stop_during_a_download_leaves_no_partial_file(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})

    def stop(_done: int, _total: int) -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        hub.fetch(NQ, progress=stop)
    assert not [path for path in hub.cache.rglob("*") if path.is_file()]
    assert hub.fetch(NQ).commit == COMMIT


@pytest.mark.parametrize(
    "names",
    [
        {"repo": "nq_open"},
        {"repo": "a/../b"},
        {"config": "../x"},
        {"split": "a/b"},
        {"split": ""},
        {"revision": "a/../../b"},
        {"revision": "main?x=1"},
    ],
)
def test_an_impossible_hub_location_is_a_configuration_error(names: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=f"hub: {next(iter(names))} "):
        HubLocation(**({"repo": "a/b", "config": "c"} | names))


def test_omitted_keys_are_taken_from_the_format() -> None:
    defaults = HubDefaults("a/b", "c")
    assert locate(defaults, repo="a/b") == HubLocation("a/b", "c", "validation", "main")
    assert locate(defaults, repo="a/b", config="d", split="train", revision="refs/pr/1") == HubLocation(
        "a/b", "d", "train", "refs/pr/1"
    )
    assert locate(None, repo="x/y", config="d") == HubLocation("x/y", "d")
    for known in (defaults, None):
        with pytest.raises(ConfigError, match="`config` is needed for 'x/y'"):
            locate(known, repo="x/y")


def test_the_official_formats_have_these_hub_defaults() -> None:
    assert {name: dataset_format.hub for name, (dataset_format, _) in ROWS.items()} == {
        "squad_v2": ("rajpurkar/squad_v2", "squad_v2"),
        "nq_open": ("google-research-datasets/nq_open", "nq_open"),
        "triviaqa": ("mandarjoshi/trivia_qa", "unfiltered.nocontext"),
    }


def test_a_branch_with_a_slash_is_one_segment_of_the_address(server: Server, hub: Hub) -> None:
    publish(server, {ONE: nq_rows("a")})
    server.replies[MAIN.replace("main", "refs%2Fpr%2F1")] = server.replies[MAIN]
    assert hub.fetch(HubLocation(NQ.repo, NQ.config, revision="refs/pr/1")).commit == COMMIT
