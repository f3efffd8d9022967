"""Full disks, folders that may not be written to, and processes that are killed: a sentence, and a way on.

The disks are real: small ones in memory, that only one process and its children see (Linux).
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leffa import cli
from leffa.data.packed import PackedDataset

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
PATIENCE = 240  # s, on a machine that does much else


def start(code: str, *values: str) -> subprocess.Popen:
    """A Python process of this code; it may say a line when it is where it is to be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *values],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_at(line: str, code: str, *values: str) -> None:
    """Kill -9 a Python process of this code once it has printed the line."""
    with start(code, *values) as process:
        found = any(line in one for one in process.stdout)
        process.kill()
        assert found, process.stderr.read()


@pytest.fixture
def on_disk(tmp_path):
    """Runs code where ``disk`` is a disk of its own with the given options, and gives what was printed."""
    if shutil.which("unshare") is None:
        pytest.skip("needs Linux' unshare")
    (tmp_path / "disk").mkdir()

    def run(options: str, code: str) -> str:
        mounting = f"mount -t tmpfs -o {options} none disk || exit 77; "
        done = subprocess.run(
            ["unshare", "-rm", "sh", "-c", mounting + '"$0" -c "$1"', sys.executable, textwrap.dedent(code)],
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode == 77 or "unshare:" in done.stdout:
            pytest.skip("this system lets nobody mount a disk of their own")
        assert "Traceback" not in done.stdout and "Exception ignored" not in done.stdout, done.stdout
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


# ------------------------------------------------------------------------------ full and read-only disks


def test_a_full_disk_is_a_sentence_and_with_room_the_command_goes_on(on_disk, tmp_path, person):
    person.save(tmp_path / "person.png")
    told = on_disk(
        "size=256k",
        """
        import os, subprocess
        from pathlib import Path
        from leffa.cli import main
        filler = Path("disk/filler")
        filler.write_bytes(bytes(256 * 1024))
        people = "synth --count 2 --size 192x128 --processes 1 --out disk/people".split()
        print("->", main("mask person.png -o disk/mask.png".split()), flush=True)
        os.truncate(filler, 230 * 1024)
        print("->", main(people), flush=True)
        subprocess.run("mount -o remount,size=20m disk".split(), check=True)
        print("->", main(people), flush=True)
        print("samples", len(list(Path("disk/people/train/correspondence").iterdir())), flush=True)
        arrays = "synth --count 2000 --size 192x128 --packed --processes 1 --out disk/packed".split()
        print("->", main(arrays), flush=True)
        print("left", len(list(Path("disk").rglob("*.part"))), flush=True)
        """,
    )
    lines = [line for line in told.splitlines() if line.startswith(("leffa: ", "->", "samples", "left"))]
    assert [line for line in lines if not line.startswith("leffa: ")] == [
        *("-> 2", "-> 2", "-> 0", "samples 2", "-> 2", "left 0")
    ]
    mask, people, arrays = (line for line in lines if line.startswith("leffa: "))
    assert mask == "leffa: 'disk/mask.png' cannot be written: the disk is full."
    assert "the disk is full" in people or "No space left" in people
    assert "disk/packed" in arrays and arrays.endswith("the disk is full.")


def test_a_full_disk_keeps_the_last_checkpoint(on_disk):
    told = on_disk(
        "size=3m",
        """
        import torch
        from pathlib import Path
        from leffa.errors import FileError
        from leffa.model import presets
        from leffa.training import checkpoint
        folder = Path("disk/checkpoints")
        checkpoint.save(folder, 1, {"x": torch.zeros(400_000)})
        for save in (
            lambda: checkpoint.save(folder, 2, {"x": torch.zeros(400_000)}),
            lambda: presets.pipeline("toy").save_pretrained("disk/model"),
        ):
            try:
                save()
            except FileError as error:
                print(error)
        print(checkpoint.load_latest(folder)[0], len(list(folder.iterdir())))
        """,
    )
    assert "step-00000002.pt' cannot be written: the disk is full." in told
    assert "disk/model' cannot be written: the disk is full." in told
    assert told.splitlines()[-1] == "1 1"


COMMANDS = (
    "mask person.png -o disk/mask.png",
    "tryon person.png garment.png -o disk/new/result.png",
    "tryon person.png garment.png -o result.png --flow disk/flow",
    "pose person.png person.png -o disk/result.png",
    "synth --count 1 --size 64x64 --out disk/people",
    "synth --count 1 --size 64x64 --packed --out disk/packed",
    "evaluate --results pictures --truth pictures -o disk/figures.json",
    "batch rows.csv --out disk/batch --model bundled",
    "generate --data synthetic:0 --count 1 --out disk/generated --model bundled",
    "train --preset tiny-1 --data packed:packed --start bundled --run disk/run",
    "train-vae --data packed:packed --run disk/vae",
    "download --what preprocess --folder disk/weights",
)


def test_a_read_only_folder_is_told_by_every_command(on_disk, tmp_path, person, garment):
    person.save(tmp_path / "person.png")
    garment.save(tmp_path / "garment.png")
    (tmp_path / "rows.csv").write_text("person,garment\nperson.png,garment.png\n")
    (tmp_path / "pictures").mkdir()
    person.save(tmp_path / "pictures" / "a.png")
    command = ["synth", "--count", "1", "--size", "64x64", "--packed", "--processes", "1", "--out"]
    assert cli.main([*command, str(tmp_path / "packed")]) == 0
    (tmp_path / "commands.json").write_text(json.dumps(COMMANDS))
    told = on_disk(
        "ro",
        """
        import json
        from leffa import cli
        def nothing_is_computed(*_, **__): raise AssertionError("was computed")
        from leffa.engine import Engine
        Engine.prepare = nothing_is_computed
        for line in json.load(open("commands.json")):
            print(line, "->", cli.main(line.split()), flush=True)
        """,
    )
    said = [line for line in told.splitlines() if line.startswith("leffa: ")]
    assert [f"{line} -> 2" for line in COMMANDS] == [line for line in told.splitlines() if " -> " in line]
    assert len(said) == len(COMMANDS) and all("ead-only" in line for line in said), said


# ------------------------------------------------------------------------------ kill -9


def test_a_kill_while_a_command_writes_leaves_the_old_picture(tmp_path, person):
    person.save(tmp_path / "person.png")
    command = ["mask", str(tmp_path / "person.png"), "-o", str(tmp_path / "mask.png")]
    assert cli.main(command) == 0
    before = (tmp_path / "mask.png").read_bytes()
    code = """
        import sys, time
        from PIL import Image
        real = Image.Image.save
        def half(self, file, *values, **named):
            if hasattr(file, "write"):
                file.write(b"half a picture")
                file.flush()
                print("WRITING", flush=True)
                time.sleep(300)
            real(self, file, *values, **named)
        Image.Image.save = half
        from leffa import cli
        cli.main(sys.argv[1:])
    """
    killed_at("WRITING", code, *command)
    assert (tmp_path / "mask.png").read_bytes() == before
    (half,) = tmp_path.glob(".leffa-*.part")
    assert half.read_bytes() == b"half a picture"
    assert cli.main(command) == 0
    assert (tmp_path / "mask.png").read_bytes() == before


SYNTH = """
    import sys, time
    import leffa.data.packed as packed
    import leffa.synthetic.folder as folder
    count = 0
    def dying(real):
        def write(*values):
            global count
            count += 1
            if count == 2:
                if sys.argv[1] == "plain":
                    sample, part, name = values
                    (part / "image" / f"{name}.jpg").write_bytes(b"half a picture")
                else:
                    values[0]._arrays["person"][values[1]] = 7
                print("WRITING", flush=True)
                time.sleep(300)
            real(*values)
        return write
    folder.write_sample = dying(folder.write_sample)
    packed.PackedWriter.write = dying(packed.PackedWriter.write)
    from leffa import cli
    cli.main(sys.argv[2:])
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["plain", "packed"])
def test_a_kill_in_synth_loses_nothing(tmp_path, kind):
    command = ["synth", "--count", "3", "--reuse", "1", "--size", "64x64", "--processes", "1"]
    command += ["--packed"] * (kind == "packed") + ["--out"]
    assert cli.main([*command, str(tmp_path / "whole")]) == 0
    killed_at("WRITING", SYNTH, kind, *command, str(tmp_path / "killed"))
    if kind == "packed":
        assert list(PackedDataset(tmp_path / "killed").rows) == [0]
    else:
        assert len(list((tmp_path / "killed/train/correspondence").iterdir())) == 1
    assert cli.main([*command, str(tmp_path / "killed")]) == 0
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


SPREAD = """
    import os, sys, time
    from leffa.synthetic.processes import spread
    def work(number):
        print("PROCESS", os.getpid(), flush=True)
        if number == 1 and sys.argv[1] == "one":
            os.kill(os.getpid(), 9)
        time.sleep(300 if sys.argv[1] == "all" else 0)
        return number
    if __name__ == "__main__":
        from leffa.errors import LeffaError
        try:
            print(list(spread(work, range(4), 2)))
        except LeffaError as error:
            print("SAID", error, flush=True)
"""


@pytest.fixture
def spreading(tmp_path):
    """Starts a program that works in two processes, of which one is ended, or its own."""
    script = tmp_path / "spreading.py"
    script.write_text(textwrap.dedent(SPREAD))

    def begin(who: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(script), who], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )

    return begin


def test_a_process_that_is_killed_does_not_keep_the_others_waiting(spreading):
    told, _ = spreading("one").communicate(timeout=PATIENCE)
    assert "SAID The system ended one of the processes" in told
    told, _ = spreading("none").communicate(timeout=PATIENCE)
    assert told.splitlines()[-1] == "[0, 1, 2, 3]"


def test_the_processes_of_a_killed_command_end_too(spreading):
    with spreading("all") as process:
        working = [int(next(process.stdout).split()[1]) for _ in range(2)]
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while any(map(is_running, working)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(is_running, working))


def is_running(number: int) -> bool:
    import psutil

    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# ------------------------------------------------------------------------------ two at once


def test_two_processes_with_the_same_output_write_one_whole_picture(tmp_path):
    """Again and again over each other, while a third reads."""
    code = """
        import sys
        from PIL import Image
        from leffa.images import save_atomically
        for _ in range(60):
            save_atomically(Image.new("RGB", (300, 200), sys.argv[2]), sys.argv[1])
    """
    file = tmp_path / "result.png"
    processes = [start(code, str(file), colour) for colour in ("red", "blue")]
    seen = set()
    while any(process.poll() is None for process in processes):
        if file.exists():
            picture = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3)
            assert len(np.unique(picture, axis=0)) == 1  # whole, and of one of them
            seen.add(tuple(picture[0]))
    assert [process.wait() for process in processes] == [0, 0]
    assert seen <= {(255, 0, 0), (0, 0, 255)} and seen
    assert list(tmp_path.iterdir()) == [file]
