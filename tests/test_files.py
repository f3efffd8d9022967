"""What is written: whole or not at all, never over what is read, never over what others have made."""

import errno
import inspect
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leffa import cli, files
from leffa.data.packed import PackedDataset, PackedWriter
from leffa.errors import FileError
from leffa.explain import FLOW_PICTURES
from leffa.explain.views import flow_pictures
from leffa.files import check_outputs, is_ours, replaced, write_json, write_text, written
from leffa.images import save_atomically
from leffa.synthetic.folder import FolderJob, write_folder
from leffa.synthetic.samples import Settings

ROOT = Path(__file__).resolve().parents[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' own folders")


def grey(value: int = 90) -> Image.Image:
    return Image.new("RGB", (96, 128), (value, value, value))


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    grey().save(path)
    return path


# ------------------------------------------------------------------------------ whole or not at all


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "record.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), written(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old" and [path] == list(tmp_path.iterdir())


def test_two_writers_of_one_name_do_not_meet(tmp_path):
    path, both = tmp_path / "record.json", threading.Barrier(2)

    def write(text: str) -> None:
        with written(path) as file:
            file.write(text.encode())
            both.wait(timeout=30)  # both are in the middle of it

    threads = [threading.Thread(target=write, args=(letter * 1000,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in ("a" * 1000, "b" * 1000) and [path] == list(tmp_path.iterdir())


def test_a_neighbour_with_the_temporary_name_of_old_is_left_alone(tmp_path):
    (tmp_path / "record.tmp").write_text("mine")
    write_json(tmp_path / "record.json", {})
    assert (tmp_path / "record.tmp").read_text() == "mine"


def test_a_full_disk_is_a_sentence(tmp_path):
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "import sys; from PIL import Image; from leffa.images import save_atomically\n"
        "from leffa.errors import FileError\n"
        "try: save_atomically(Image.effect_noise((300, 300), 90), sys.argv[1])\n"
        "except FileError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "x.png")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "x.png' cannot be written: it became larger" in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_system_says_is_a_sentence(tmp_path, number):
    with pytest.raises(FileError, match=r"x\.json' cannot be written: \w+"), replaced(tmp_path / "x.json"):
        raise OSError(number, os.strerror(number))


# ------------------------------------------------------------------------------ whose a file is


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_pictures_say_who_wrote_them(tmp_path, suffix):
    ours = save_atomically(grey(), tmp_path / f"ours{suffix}")
    grey().save(tmp_path / f"theirs{suffix}")
    assert is_ours(ours) and not is_ours(tmp_path / f"theirs{suffix}")
    Image.open(ours).convert("RGB").save(ours)  # edited since
    assert not is_ours(ours)


def spellings(photo: Path) -> list[Path]:
    (photo.parent / "sub").mkdir()
    symbolic, hard = photo.parent / "symbolic.png", photo.parent / "hard.png"
    symbolic.symlink_to(photo)
    os.link(photo, hard)
    relative = Path(os.path.relpath(photo))
    return [photo, symbolic, hard, relative, photo.parent / "sub" / ".." / photo.name]


def test_an_input_is_never_written_over_however_it_is_spelled(photo):
    for name in spellings(photo):
        with pytest.raises(FileError, match="is read by this command"):
            check_outputs([name], [photo], force=True)


def test_foreign_files_need_force_and_our_own_do_not(tmp_path, photo):
    with pytest.raises(FileError, match="--force"):
        check_outputs([photo])
    check_outputs([photo], force=True)
    save_atomically(grey(), photo)
    check_outputs([photo])
    with pytest.raises(FileError, match="written twice"):
        check_outputs([tmp_path / "a.png", tmp_path / "a.png"])


@LINUX
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("/proc/result.png", "cannot be written"),
        ("a\0b.png", "NUL"),
        ("n" * 300 + ".png", "too long"),
        ("photo.png/result.png", "no folder"),
        ("fifo.png", "no regular file"),
        (".", "is a folder"),
    ],
)
def test_a_place_that_takes_no_file_is_told_before_the_work(tmp_path, photo, name, sentence):
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(FileError, match=sentence):
        check_outputs([name if name[0] == "/" else f"{tmp_path}/{name}"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo.png", "photo.png"]


# ------------------------------------------------------------------------------ on the command line


@pytest.fixture
def folder(tmp_path, monkeypatch, person, garment):
    """Pictures, and foreign files that a careless command would write over."""
    monkeypatch.chdir(tmp_path)
    person.save("person.png")
    garment.save("garment.png")
    person.save("overlay.png")
    Path("result.json").write_text('{"precious": 1}')
    Path("flows").mkdir()
    garment.save("flows/overlay.png")
    Path("file").write_text("a file")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("mask person.png -o person.png", "is read by this command"),
        ("mask person.png -o person.png --force", "is read by this command"),
        ("mask person.png -o ./file/../person.png --force", "cannot be written"),
        ("mask person.png --reference garment.png -o garment.png --force", "is read by this command"),
        ("mask person.png -o overlay.png", "--force"),
        ("tryon person.png garment.png -o person.png --force", "is read by this command"),
        ("tryon person.png garment.png -o garment.png --force", "is read by this command"),
        ("tryon person.png garment.png --mask overlay.png -o overlay.png --force", "is read by this command"),
        ("tryon person.png garment.png -o result.png", "result.json"),
        ("tryon person.png garment.png -o new.png --flow flows", "flows/overlay.png"),
        ("tryon person.png overlay.png -o new.png --flow . --force", "is read by this command"),
        ("tryon person.png garment.png -o flows/warped.png --flow flows --force", "written twice"),
        ("tryon person.png garment.png -o new.png --flow file", "no folder"),
        ("pose person.png overlay.png -o overlay.png --force", "is read by this command"),
        ("pose person.png overlay.png -o result.png", "result.json"),
    ],
)
def test_no_command_writes_over_inputs_or_foreign_files(folder, capsys, monkeypatch, command, sentence):
    def nothing_is_computed(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("leffa.engine.Engine.prepare", nothing_is_computed)
    before = contents(folder)
    assert cli.main(command.split()) == 2
    assert sentence in capsys.readouterr().err
    assert contents(folder) == before


def test_a_mask_is_written_again_over_the_last_one(folder, capsys):
    assert cli.main(["mask", "person.png", "-o", "mask.png"]) == 0
    assert cli.main(["mask", "person.png", "-o", "mask.png"]) == 0
    Image.fromarray(np.asarray(Image.open("mask.png"))).save("mask.png")  # by hand, in an editor
    assert cli.main(["mask", "person.png", "-o", "mask.png"]) == 2
    assert "--force" in capsys.readouterr().err
    assert cli.main(["mask", "person.png", "-o", "mask.png", "--force"]) == 0


def test_evaluate_leaves_foreign_files_alone(folder, capsys):
    command = "evaluate --results flows --truth flows -o result.json"
    assert cli.main(command.split()) == 2
    assert "result.json" in capsys.readouterr().err and json.loads(Path("result.json").read_text())


# ------------------------------------------------------------------------------ folders


def test_synthetic_people_are_not_written_into_a_data_set(tmp_path):
    (tmp_path / "train" / "image").mkdir(parents=True)
    (tmp_path / "train_pairs.txt").write_text("00001_00.jpg 00002_00.jpg\n")
    with pytest.raises(FileError, match="holds 'image'"):
        write_folder(FolderJob(tmp_path, 1, Settings(size=(64, 64))))
    (tmp_path / "train" / "image").rmdir()
    with pytest.raises(FileError, match=r"train_pairs\.txt"):
        write_folder(FolderJob(tmp_path, 1, Settings(size=(64, 64))))
    assert (tmp_path / "train_pairs.txt").read_text() == "00001_00.jpg 00002_00.jpg\n"


def test_packing_begins_anew_after_a_kill_and_never_among_foreign_arrays(tmp_path):
    np.save(tmp_path / "person.npy", np.zeros(3))
    with pytest.raises(FileError, match=r"person\.npy"):
        PackedWriter(tmp_path, 2, (64, 48))
    own = tmp_path / "own"
    own.mkdir()
    write_json(own / "packed.json", {"count": 2, "size": [64, 48]})  # killed before the first array
    assert 0 not in PackedWriter(own, 2, (64, 48))
    assert PackedDataset(own).flow_stride == 4  # its header is of the time before strides were told
    PackedWriter(tmp_path / "new", 2, (64, 48))
    assert PackedDataset(tmp_path / "new").flow_stride == 2
    assert 0 not in PackedWriter(tmp_path / "new", 2, (64, 48))


@pytest.mark.parametrize("name", ["settings.json", "model", "checkpoints"])
def test_a_run_is_not_begun_among_foreign_files(tmp_path, capsys, name):
    (tmp_path / name).mkdir() if name != "settings.json" else (tmp_path / name).write_text('{"mine": 1}')
    command = f"train --preset tiny-1 --data packed:nowhere --start bundled --run {tmp_path}"
    assert cli.main(command.split()) == 2
    assert f"holds '{name}'" in capsys.readouterr().err


def test_a_digest_goes_over_all_files(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    joined = files.sha256(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"onetwo")
    assert joined == files.sha256(tmp_path / "c")


def test_every_picture_of_the_flow_is_checked_before_a_run():
    """The command line asks for leave by these names, long before ``flow_pictures`` writes under them."""
    source = inspect.getsource(flow_pictures)
    assert set(FLOW_PICTURES) == set(re.findall(r'"(\w+)": (?:pictures|heat)', source))
