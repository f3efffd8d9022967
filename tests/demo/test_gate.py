"""Nothing on the host can be read, deleted or told of by a path or an address that comes from outside."""

import asyncio
import base64
import errno
import http.server
import os
import shutil
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from asking import META, ask, number_of, upload
from serving import free_port

from demo.gate import Gate, Limits, Names
from demo.uploads import SPARE_BYTES, open_folder
from leffa.errors import FileError

ADVICE = "was not uploaded here, or is not here any more"
ELSEWHERE = "http://127.0.0.1"


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mcp"])
def address(request, toy_model, tmp_path_factory):
    if request.param:
        pytest.importorskip("mcp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        from demo.launch import Options, launch

        page = launch(Options(port=free_port(), mcp=request.param), wait=False)
        yield page.local_url.rstrip("/")
        page.close()


@pytest.fixture(scope="module")
def has_tools(address, request) -> bool:
    return "mcp" in request.node.name or httpx.get(f"{address}/gradio_api/mcp/").status_code != 404


@pytest.fixture(scope="module")
def secret(pictures, tmp_path_factory) -> Path:
    """A photo on the host that nobody uploaded."""
    file = tmp_path_factory.mktemp("private") / "holiday.png"
    file.write_bytes(pictures.person.read_bytes())
    return file


@pytest.fixture(scope="module")
def elsewhere(secret):
    """Another server on this machine, which must not be asked."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(secret.read_bytes())

        def log_message(self, *values):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{ELSEWHERE}:{server.server_port}", asked
    server.shutdown()


def spellings(file: Path, home: Path, outside: str) -> dict[str, str]:
    """Ways to name a file that is not in the upload folder."""
    path, name = str(file), file.name
    up = os.path.relpath(path, home)
    return {
        "absolute": path,
        "relative": os.path.relpath(path),
        "from the folder": up,
        "through the folder": f"{home}/{up}",
        "through a folder that is not": f"{home}/none/../{up}",
        "through an encoded folder": f"{home}/{up.replace('..', '%2e%2e')}",
        "doubly encoded": f"{home}/{up.replace('..', '%252e%252e')}",
        "encoded slashes": f"{home}/{up.replace('/', '%2f')}",
        "backslashes": path.replace("/", "\\"),
        "mixed slashes": f"{home}/..\\..\\..{path}",
        "two slashes": f"/{path}",
        "three slashes": f"//{path}",
        "a slash more": f"{path}/",
        "a dot more": f"{file.parent}/./{name}",
        "a folder and back": f"{file.parent}/../{file.parent.name}/{name}",
        "file address": f"file://{path}",
        "file address without slashes": f"file:{path}",
        "file address of a host": f"file://localhost{path}",
        "capital file address": f"FILE://{path}",
        "home": f"~/../..{path}",
        "this process": f"/proc/self/root{path}",
        "working folder": f"/proc/self/cwd/{os.path.relpath(path)}",
        "open file": "/proc/self/fd/0",
        "zero behind": f"{path}\0.png",
        "zero before": f"\0{path}",
        "line end": f"{path}\n",
        "blank before": f" {path}",
        "encoded": quote(path, safe=""),
        "encoded once": quote(path),
        "address of the app's": f"{outside}/gradio_api/file={path}",
        "address up": f"{outside}/gradio_api/file={home}/{up}",
        "encoded address": f"{outside}/gradio_api/file={quote(path, safe='')}",
        "remote": f"{outside}/{name}",
        "remote by name": f"{outside.replace('127.0.0.1', 'localhost')}/{name}",
        "remote, short": f"{outside.replace('127.0.0.1', '127.1')}/{name}",
        "remote as a number": f"{outside.replace('127.0.0.1', '2130706433')}/{name}",
        "remote, six": f"{outside.replace('127.0.0.1', '[::ffff:127.0.0.1]')}/{name}",
        "remote, another scheme": f"{outside.replace('http', 'HTTP')}/{name}",
        "remote with a name before": f"{outside.replace('http://', 'http://app@')}/{name}",
        "ftp": f"ftp://127.0.0.1/{name}",
        "without a scheme": f"{outside.removeprefix('http:')}/{name}",
        "gopher": f"gopher://127.0.0.1/_{name}",
        "the mark of the owner": f"{home}/owner",
        "the folder itself": str(home),
        "nothing": "",
        "a dot": ".",
        "a word": "holiday",
    }


def home_of(address: str, pictures) -> Path:
    return Path(upload(address, pictures.garment.read_bytes())).parents[1]


def files(text: str):
    """A path in each of the shapes in which one can come."""
    yield {"path": text}
    yield {"path": text, "meta": META}
    yield {"path": text, "url": text, "meta": META, "is_stream": True}


def test_no_spelling_reads_or_tells_of_a_file(address, pictures, secret, elsewhere):
    outside, asked = elsewhere
    home = home_of(address, pictures)
    link = home / "linked"
    link.symlink_to(secret.parent)
    (home / "one").mkdir(exist_ok=True)
    (home / "one" / "link.png").symlink_to(secret)
    os.link(secret, home / "one" / "hard.png")
    os.mkfifo(home / "one" / "pipe.png")
    try:
        there = spellings(secret, home, outside)
        there |= {"link": f"{link}/{secret.name}", "linked file": f"{home}/one/link.png"}
        there |= {"hard link": f"{home}/one/hard.png", "pipe": f"{home}/one/pipe.png"}
        absent = spellings(secret.with_name("absent.png"), home, outside)
        assert len(there) >= 40
        mask = number_of(address, "mask")
        choices = ["upper", "auto", "auto", ["face"], None]
        said = set()
        every = [*there.items(), *list(absent.items())[::3]]
        for number, (name, text) in enumerate(every):
            shapes = list(files(text))
            for file in shapes if name == "absolute" else [shapes[number % 3]]:
                succeeded, answer = ask(address, mask, [file, *choices])
                assert not succeeded, name
                said.add(answer)
        assert len(said) == 1 and ADVICE in said.pop()
        assert not asked
        assert secret.is_file()
    finally:
        os.unlink(home / "one" / "hard.png")


def test_only_uploads_are_served(address, pictures, secret, elsewhere):
    home = home_of(address, pictures)
    answers = []
    for file in (secret, secret.with_name("absent.png")):
        told = {}
        for name, text in spellings(file, home, elsewhere[0]).items():
            answer = httpx.get(f"{address}/gradio_api/file={quote(text)}", follow_redirects=True)
            assert answer.status_code in (403, 404), name  # the client itself shortens some of them
            told[name] = answer.text
        answers.append(told)
    assert answers[0] == answers[1]
    assert not elsewhere[1]
    own = upload(address, pictures.garment.read_bytes())
    assert httpx.get(f"{address}/gradio_api/file={own}").content == pictures.garment.read_bytes()


def test_a_file_of_another_visitor_is_out_of_reach(address, pictures):
    path = upload(address, pictures.person.read_bytes())
    choices = ["upper", "auto", "auto", ["face"], None]
    assert ask(address, "mask", [{"path": path, "meta": META}, *choices], "the-owner")[0]
    for file in files(path):
        succeeded, answer = ask(address, "mask", [file, *choices], "a-stranger")
        assert not succeeded and ADVICE in answer
    assert ask(address, "mask", [{"path": path, "meta": META}, *choices], "the-owner")[0]


def test_two_visitors_with_the_same_file_do_not_share_it(address, pictures):
    content = pictures.person.read_bytes()
    one, other = upload(address, content), upload(address, content)
    assert one != other
    visit_and_leave(address, one, "one-visitor")
    assert not Path(one).exists()
    assert Path(other).read_bytes() == content


def test_what_was_not_uploaded_is_not_deleted(address, secret):
    visit_and_leave(address, str(secret), "a-thief", succeeds=False)
    assert secret.is_file() and secret.parent.is_dir()


def visit_and_leave(address: str, path: str, session: str, succeeds: bool = True) -> None:
    """Hand a path on in every event that takes a file, and leave as a closed page does."""
    config = httpx.get(f"{address}/config").json()
    kinds = {one["id"]: one["type"] for one in config["components"]}
    with httpx.stream("GET", f"{address}/gradio_api/heartbeat/{session}") as heartbeat:
        lines = heartbeat.iter_lines()  # which closes the stream when it goes
        next(lines)
        for event in config["dependencies"]:
            inputs = [kinds[one] for one in event["inputs"]]
            if event["api_name"] not in ("read_settings", "set_photo", "set_person", "restore_png"):
                continue
            data = [
                {"path": path, "meta": META} if kind in ("image", "uploadbutton") else None for kind in inputs
            ]
            if event["queue"] is not False:
                ask(address, event["id"], data, session)
        choices = ["upper", "auto", "auto", ["face"], None]
        assert ask(address, "mask", [{"path": path, "meta": META}, *choices], session)[0] == succeeds
    until = time.monotonic() + 10
    while succeeds and Path(path).exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.5)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("localhost:80@evil.example", 421),
        ("evil.example:7860", 421),
        ("", 421),
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:7860", 200),
        ("LOCALHOST.", 200),
    ],
)
def test_a_foreign_name_is_not_answered(address, host, status):
    answer = httpx.get(f"{address}/config", headers={"Host": host, "Origin": f"http://{host}"})
    assert answer.status_code in (status, 403) if status != 200 else answer.status_code == 200
    if status != 200:
        assert "access-control-allow-origin" not in answer.headers
        assert "components" not in answer.text


def test_pages_of_other_sites_may_not_ask(address):
    for origin in ("http://evil.example", "null", "https://localhost.evil.example", "file://"):
        answer = httpx.get(f"{address}/config", headers={"Origin": origin})
        assert answer.status_code == 403 and "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "route",
    [
        "proxy=http://127.0.0.1/x",
        "stream/x",
        "component_server",
        "process_recording",
        "deep_link",
        "vibe-code",
        "monitoring",
        "runs",
        "file/etc/passwd",
        "custom_component/x/server/y/z",
        "dev/reload",
        "api/mask",
    ],
)
def test_routes_that_nobody_needs_are_closed(address, route):
    for method in ("GET", "POST"):
        assert httpx.request(method, f"{address}/gradio_api/{route}").status_code == 404


def test_bodies_are_bounded_before_they_are_read(address):
    large = httpx.post(f"{address}/gradio_api/queue/join", content=b" " * 4_100_000)
    assert large.status_code == 413

    untold = httpx.post(f"{address}/gradio_api/queue/join", content=iter([b"{", b"}"]))
    assert untold.status_code == 411  # it might never end
    deep = httpx.post(f"{address}/gradio_api/queue/join", content=b"[" * 100_000)
    assert deep.status_code == 400


@pytest.mark.parametrize("route", ["upload", "queue/join", "cancel"])
def test_a_body_that_does_not_come_is_not_waited_for(address, route, monkeypatch):
    monkeypatch.setattr("demo.gate.BODY_SECONDS", 0.5)
    head = f"POST /gradio_api/{route} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(address).port), timeout=60) as slow:
        slow.sendall(head.encode() + b"--x\r\n")
        answer = slow.recv(1000).decode()
        assert answer.startswith("HTTP/1.1 408 ")


def test_who_sends_slowly_holds_no_slot_for_good(address, pictures, monkeypatch):
    monkeypatch.setattr("demo.gate.BODY_SECONDS", 2.0)
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    head += b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(8):  # as many as are let in: the next one waits for them
            slow = socket.create_connection(("127.0.0.1", httpx.URL(address).port), timeout=60)
            stack.enter_context(slow).sendall(head)
        time.sleep(0.2)
        assert upload(address, pictures.garment.read_bytes())


@pytest.mark.parametrize(("under_way", "status"), [(0, 200), (63, 200), (64, 429)])
def test_one_address_does_not_take_all_there_is(under_way, status):
    """Requests of one visitor beyond a number are refused; they do not fill the queue of everybody."""

    async def inner(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def post() -> int:
        body = {"fn_index": 0, "data": [1], "session_hash": "many"}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=gate), base_url="http://localhost"
        ) as client:
            return (await client.post("/gradio_api/queue/join", json=body)).status_code

    gate = Gate(Names(), lambda _: (1, True), print, lambda _: under_way, dict, Limits(), "")
    gate.inner = inner
    assert asyncio.run(post()) == status


def test_uploads_are_bounded_in_number(address, pictures):
    many = [("files", (f"{i}.png", b"x")) for i in range(9)]
    answer = httpx.post(f"{address}/gradio_api/upload", files=many)
    assert answer.status_code == 400 and "Maximum number of files is 8" in answer.text
    assert httpx.post(f"{address}/gradio_api/upload", files=many[:8]).status_code == 200


def multipart(head: str, content: bytes = b"x", boundary: str = "x") -> dict:
    body = f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return {"content": body, "headers": {"Content-Type": f"multipart/form-data; boundary={boundary}"}}


MISTAKES = {
    "a long name": ("GET", "/assets/" + "a" * 300, {}),
    "a file without a name": ("POST", "/gradio_api/upload", {"files": {"files": ("", b"x")}}),
    "a field for a file": (
        "POST",
        "/gradio_api/upload",
        multipart('Content-Disposition: form-data; name="files"'),
    ),
    "a name in no code": (
        *("POST", "/gradio_api/upload"),
        multipart("Content-Disposition: form-data; name=files; filename*=utf-8''%ff.png"),
    ),
    "a long boundary": ("POST", "/gradio_api/upload", multipart("", boundary="x" * 5000)),
    "no such argument": ("POST", "/gradio_api/call/v2/mask", {"json": {"nope": 1}}),
    "endless": ("POST", "/gradio_api/cancel", {"content": b'{"fn_index": 1e400}'}),
    "half a character": (
        *("POST", "/gradio_api/queue/join"),
        {"content": b'{"fn_index": 1, "data": ["\\ud800"]}'},
    ),
    "half a character to cancel": ("POST", "/gradio_api/cancel", {"content": b'{"session_hash": "\\ud800"}'}),
    "a truth for a number": (
        "POST",
        "/gradio_api/queue/join",
        {"json": {"fn_index": True, "data": [None] * 9}},
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_request_that_no_page_sends_is_answered_in_a_sentence(address, capfd, name):
    method, path, more = MISTAKES[name]
    answer = httpx.request(method, f"{address}{path}", **more)
    assert 400 <= answer.status_code < 500 and len(answer.text) < 300 and "\n" not in answer.text.strip()
    assert "Traceback" not in capfd.readouterr().err


def test_a_picture_is_served_in_one_piece_however_many_are_asked_for(address, pictures, capfd):
    own = upload(address, pictures.garment.read_bytes())
    ranges = "bytes=" + ",".join(f"{start}-{start}" for start in range(0, 4000, 2))
    answer = httpx.get(f"{address}/gradio_api/file={own}", headers={"Range": ranges})
    assert answer.status_code < 500 and "Traceback" not in capfd.readouterr().err


def test_uploads_that_can_be_kept_nowhere_are_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for place in ("file", "file/folder"):
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / place))
        with pytest.raises(FileError, match="cannot be written"):
            open_folder()


def test_the_disk_is_never_filled(address, pictures, monkeypatch):
    usage = shutil.disk_usage(".")
    content = pictures.garment.read_bytes()
    for free, status in ((SPARE_BYTES + len(content) // 2, 507), (SPARE_BYTES + 2 * len(content), 200)):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        answer = httpx.post(f"{address}/gradio_api/upload", files={"files": ("a.png", content)})
        assert answer.status_code == status
        assert status == 200 or "no room for more pictures" in answer.text


def test_a_result_that_the_disk_does_not_take_is_a_sentence(address, pictures, monkeypatch):
    file = {"path": upload(address, pictures.person.read_bytes()), "meta": META}

    def full(*values, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/of/the/host")

    monkeypatch.setattr("demo.sessions.tempfile.mkdtemp", full)
    succeeded, answer = ask(address, "mask", [file, "upper", "auto", "auto", ["face"], None])
    assert not succeeded and answer.startswith("There is no room for the result now")
    monkeypatch.undo()
    file = {"path": upload(address, pictures.person.read_bytes()), "meta": META}
    assert ask(address, "mask", [file, "upper", "auto", "auto", ["face"], None])[0]


def test_an_agent_names_nothing_of_the_host(address, has_tools, pictures, secret, elsewhere):
    if not has_tools:
        assert httpx.post(f"{address}/gradio_api/mcp/", json={}).status_code == 404
        return
    from test_mcp import call

    home = home_of(address, pictures)
    for file in (secret, secret.with_name("absent.png")):
        for name, text in spellings(file, home, elsewhere[0]).items():
            answer = call(address, "mask", person=text)
            assert answer.isError, name
    assert not elsewhere[1]
    own = upload(address, pictures.person.read_bytes())
    asyncio.run(asyncio.sleep(0))
    assert not call(address, "mask", person=f"{address}/gradio_api/file={own}").isError
    url = "data:image/png;base64," + base64.b64encode(pictures.person.read_bytes()).decode()
    assert not call(address, "mask", person=url).isError
