"""``leffa download`` as a user runs it: processes that are killed, run out of disk, or have no network."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stand_in_hub import StandInHub, tiny_files

ROOT = Path(__file__).resolve().parents[1]
LIP = "humanparsing/parsing_lip.onnx"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Tiny, but for one: what arrives is written to the disk every 10 MiB."""
    return {**tiny_files(tmp_path_factory.mktemp("published")), LIP: os.urandom(1000) * 25_000}


class Command:
    """``leffa download --what preprocess`` into a folder, from a stand-in."""

    def __init__(self, folder: Path, url: str):
        self.folder = folder
        self._arguments = [sys.executable, "-m", "leffa.cli", "download", "--what", "preprocess"]
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LEFFA_CHECKPOINTS": str(folder),
            "HF_ENDPOINT": url,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(folder.parent / "cache"),
            "OMP_NUM_THREADS": "1",
        }

    def start(self, **options) -> subprocess.Popen:
        return subprocess.Popen(
            self._arguments,
            env=self._environment,
            cwd=self.folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, **options) -> tuple[int, str, str]:
        with self.start(**options) as process:
            output, errors = process.communicate(timeout=280)
        return process.returncode, output, errors


def test_killed_in_the_middle_the_same_command_goes_on(tmp_path, files):
    hub = StandInHub(dict(files), stall_after=15 * MEGABYTE)
    with hub.serving():
        command = Command(tmp_path / "weights", hub.url)
        with command.start() as process:
            assert wait_for(lambda: any(size >= 10 * MEGABYTE for size in parts(command.folder)), process)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert not (command.folder / "parsing").exists()
        hub.go_on.set()
        hub.requests.clear()
        status, output, errors = command.run()
        assert (status, "Traceback" in errors) == (0, False), errors
        assert "parsing: " in output and "licence: " in output and "densepose is here and whole" in output
        (start,) = [first for method, name, first in hub.requests if (method, name) == ("GET", LIP)]
        assert start >= 10 * MEGABYTE
    assert (command.folder / "parsing" / "parsing_lip.onnx").read_bytes() == files[LIP]
    assert parts(command.folder) == [] and not (command.folder / ".downloads").exists()


def wait_for(condition, process: subprocess.Popen, seconds: float = 140) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end or process.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def parts(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*.part") if path.is_file()]


def test_a_full_disk_is_one_sentence(tmp_path, files):
    """The system lets no file grow beyond 1 MB, as a disk that has no more."""

    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE, MEGABYTE))

    with StandInHub(dict(files)).serving() as hub:
        status, _, errors = Command(tmp_path / "weights", hub.url).run(preexec_fn=small_disk)
    assert status == 2 and "Traceback" not in errors
    assert "is full: make room and run the same command again; it goes on where it was" in errors


def test_no_network_is_one_sentence(tmp_path):
    status, output, errors = Command(tmp_path / "weights", "http://127.0.0.1:9").run()
    assert (status, output) == (2, "") and "Traceback" not in errors
    assert errors.startswith("leffa: no connection to http://127.0.0.1:9")


def test_two_processes_fetch_the_same_weights_once(tmp_path, files):
    hub = StandInHub(dict(files))
    with hub.serving():
        command = Command(tmp_path / "weights", hub.url)
        processes = [command.start() for _ in range(2)]
        told = [process.communicate(timeout=280) for process in processes]
        assert [process.returncode for process in processes] == [0, 0], told
        assert not any("Traceback" in errors for _, errors in told)
        assert len([1 for method, name, _ in hub.requests if (method, name) == ("GET", LIP)]) == 1
    assert (command.folder / "parsing" / "parsing_lip.onnx").read_bytes() == files[LIP]
    assert parts(command.folder) == []
