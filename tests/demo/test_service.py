"""The app as a process of its own: how it is asked for its health, limited, stopped and killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from asking import META, PATIENCE, ask, upload
from proxy import serving_at
from serving import free_port

ROOT = Path(__file__).parents[2]
SERVE = """
import sys, dataclasses, torch
from leffa.model import presets
from leffa.weights import models
folder = sys.argv.pop(1)
toy = dataclasses.replace(models.BUNDLED, folder=__import__("pathlib").Path(folder), size=(64, 48), steps=5)
models.MODELS = {toy.name: toy}
from demo.__main__ import main
main()
"""


class App:
    """A running ``python app.py`` on toy weights."""

    def __init__(self, toy: Path, folder: Path, *arguments: str, wait: bool = True):
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"log-{self.port}.txt"
        environment = os.environ | {"GRADIO_TEMP_DIR": str(folder), "PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(toy), "--port", str(self.port), *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=environment,
            )
        if wait:
            self.wait()

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            try:
                if httpx.get(f"{self.address}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def start(toy_model, tmp_path):
    apps = []

    def begin(*arguments: str) -> App:
        apps.append(App(toy_model.folder, tmp_path, *arguments))
        return apps[-1]

    yield begin
    for app in apps:
        app.process.kill()
        app.process.wait()


def given(path: str) -> dict:
    return {"path": path, "meta": META}


def visitors_files(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("log-")]


def try_on(app: App, pictures, session: str, steps: int) -> tuple[bool, object]:
    return try_on_at(app.address, pictures, session, steps)


def try_on_at(address: str, pictures, session: str, steps: int) -> tuple[bool, object]:
    photo, garment = (upload(address, one.read_bytes()) for one in (pictures.person, pictures.garment))
    choices = ["upper", "auto", "auto", ["face"], None]
    settings = [steps, None, None, 1, 1]
    return ask(address, "try_on", [given(photo), given(garment), *choices, *settings], session)


def test_sigterm_ends_a_run_with_a_sentence_and_leaves_no_file(start, pictures, tmp_path):
    app = start()
    health = httpx.get(f"{app.address}/healthz").json()
    assert health["status"] == "ok" and health["in_line"] == 0
    never_used = upload(app.address, pictures.person.read_bytes())
    assert Path(never_used).is_file()
    answers = []
    runner = threading.Thread(target=lambda: answers.append(try_on(app, pictures, "a-visitor", 200)))
    runner.start()
    until = time.monotonic() + PATIENCE
    while httpx.get(f"{app.address}/healthz").json()["in_line"] == 0 and time.monotonic() < until:
        time.sleep(0.1)
    assert app.stop() == 0
    runner.join(30)
    assert answers and answers[0][0] is False and "being stopped" in answers[0][1]
    assert visitors_files(tmp_path) == []
    assert "Traceback" not in app.log.read_text()


def test_ctrl_c_ends_an_idle_app_in_good_order(start, tmp_path):
    app = start()
    assert app.stop(signal.SIGINT) == 0
    assert visitors_files(tmp_path) == []


def test_what_a_killed_app_left_is_gone_after_the_restart(start, pictures, tmp_path):
    app = start()
    left = Path(upload(app.address, pictures.person.read_bytes()))
    app.process.kill()
    app.process.wait()
    assert left.is_file()
    foreign = tmp_path / "leffa-application.txt"
    foreign.write_text("of somebody else")
    again = start()
    assert not left.exists() and not left.parents[1].exists()
    assert foreign.is_file()
    assert again.stop() == 0


def test_a_run_may_take_only_so_long_and_a_visitor_only_so_many(start, pictures):
    app = start("--longest-run", "4", "--most-each", "1")
    answers = []
    runner = threading.Thread(target=lambda: answers.append(try_on(app, pictures, "first", 200)))
    runner.start()
    until = time.monotonic() + PATIENCE
    while httpx.get(f"{app.address}/healthz").json()["in_line"] == 0 and time.monotonic() < until:
        time.sleep(0.02)
    second = try_on(app, pictures, "second", 5)
    runner.join(PATIENCE)
    assert second[0] or "in line already" in second[1]
    assert answers[0][0] is False and "longer than the 4 seconds" in answers[0][1]
    assert httpx.get(f"{app.address}/healthz").json()["in_line"] == 0
    text = app.log.read_text()
    assert "Traceback" not in text and "picture.png" not in text


@pytest.mark.parametrize("cancels", [False, True])
def test_a_client_that_drops_its_stream_or_cancels_frees_the_line(start, pictures, cancels):
    app = start()
    photo, garment = (upload(app.address, one.read_bytes()) for one in (pictures.person, pictures.garment))
    values = [given(photo), given(garment), "upper", "auto", "auto", ["face"], None, 200, None, None, 1, 4]
    config = httpx.get(f"{app.address}/config").json()
    number = next(one["id"] for one in config["dependencies"] if one["api_name"] == "try_on")
    body = {"fn_index": number, "data": values, "session_hash": "dropper"}
    event = httpx.post(f"{app.address}/gradio_api/queue/join", json=body).json()["event_id"]

    def in_line_after(seconds: float) -> int:
        until = time.monotonic() + seconds
        while (count := httpx.get(f"{app.address}/healthz").json()["in_line"]) and time.monotonic() < until:
            time.sleep(0.05)
        return count

    with httpx.stream(
        "GET", f"{app.address}/gradio_api/queue/data?session_hash=dropper", timeout=PATIENCE
    ) as stream:
        lines = stream.iter_lines()  # which closes the stream when it goes
        next(line for line in lines if "painting, step" in line)
        if cancels:
            told = {"fn_index": number, "session_hash": "dropper"}
            for other in ("another", event):
                assert in_line_after(1) == 1
                cancel = httpx.post(f"{app.address}/gradio_api/cancel", json={**told, "event_id": other})
                assert cancel.status_code == 200
            assert in_line_after(30) == 0
    assert in_line_after(30) == 0
    assert try_on(app, pictures, "next", 5)[0]


def wrong_logins(client: httpx.Client) -> set[int]:
    """Statuses of twelve tries that claim to come from an address each."""
    tries = [
        client.post(
            "/login",
            data={"username": "ann", "password": str(number)},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        )
        for number in range(12)
    ]
    return {answer.status_code for answer in tries}


def test_a_password_keeps_others_out(start, tmp_path, pictures):
    passwords = tmp_path / "log-passwords.txt"
    passwords.write_text("# who may come in\nann:secret:word\n\nbob:other\n", encoding="utf-8")
    app = start("--auth", str(passwords))
    assert httpx.get(f"{app.address}/config").status_code == 401
    files = {"files": ("a.png", pictures.person.read_bytes())}
    assert httpx.post(f"{app.address}/gradio_api/upload", files=files).status_code == 401
    with httpx.Client(base_url=app.address) as client:
        assert wrong_logins(client) == {400, 429}
    other = start("--auth", str(passwords), "--root-path", "/fitting", "--trust-proxy", "127.0.0.1")
    with httpx.Client(base_url=other.address) as client:
        assert wrong_logins(client) == {400}  # of twelve visitors
        assert client.post("/login", data={"username": "ann", "password": "secret:word"}).status_code == 200
        assert client.get("/config").json()["root"].endswith("/fitting")


@pytest.mark.parametrize("strips", [True, False])
def test_behind_a_proxy_at_a_sub_path_page_run_and_result_are_reached(start, pictures, strips):
    app = start("--root-path", "/fitting")
    with serving_at("/fitting", app.port, strips) as address:
        page = httpx.get(f"{address}/")
        assert page.status_code == 200 and "/fitting" in page.text
        assert httpx.get(f"{address}/config").json()["root"] == address
        assert httpx.get(f"{address}/healthz").json()["status"] == "ok"
        done, answer = try_on_at(address, pictures, "behind-a-proxy", 5)
        assert done, answer
        assert answer[0]["url"].startswith(f"{address}/gradio_api/file=")
        served = httpx.get(answer[0]["url"])
        assert served.status_code == 200 and served.headers["content-type"].startswith("image/")
        outside = httpx.get(f"{address}/gradio_api/file=/etc/passwd")
        assert outside.status_code == 403


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--auth", "absent.txt"), "cannot be read"),
        (("--tls-cert", "absent.pem", "--tls-key", "absent.pem"), "cannot be"),
        (("--tls-key", "absent.pem"), "certificate"),
    ],
)
def test_options_that_cannot_be_had_are_one_sentence(toy_model, tmp_path, arguments, said):
    app = App(toy_model.folder, tmp_path, *arguments, wait=False)
    assert app.process.wait(PATIENCE) == 2
    lines = [line for line in app.log.read_text().splitlines() if line.startswith("leffa: ")]
    assert len(lines) == 1 and said in lines[0]
    assert "Traceback" not in app.log.read_text()
