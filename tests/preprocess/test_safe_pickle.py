"""Weight files that are pickles: what is read, and that nothing else in them is ever run."""

import io
import os
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from leffa.errors import WeightsError
from leffa.preprocess.official.densepose import DensePose
from leffa.preprocess.official.openpose import OpenPoseBody
from leffa.safe_pickle import load_state

ARRAYS = {
    "weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7,
    "half": np.linspace(-1, 1, 5).astype(np.float16),
    "columns": np.asfortranarray(np.arange(6, dtype=np.float64).reshape(2, 3)),
    "count": np.array(7, dtype=np.int64),
    "flags": np.array([True, False]),
    "bytes": np.arange(256, dtype=np.uint8),
    "foreign": np.arange(3, dtype=">f4"),
}


def write(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    return path


# what is read


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_gives_the_arrays_back(tmp_path: Path, protocol: int) -> None:
    for content in (ARRAYS, OrderedDict(ARRAYS), {"model": ARRAYS, "__author__": "Detectron2 Model Zoo"}):
        loaded = load_state(write(tmp_path / "weights.pkl", content, protocol))
        assert list(loaded) == list(ARRAYS)
        for name, array in ARRAYS.items():
            read = loaded[name].numpy()
            np.testing.assert_array_equal(read, array)
            assert read.dtype == array.dtype.newbyteorder("=") and read.flags.writeable


def test_an_array_without_elements(tmp_path: Path) -> None:
    loaded = load_state(write(tmp_path / "w.pkl", {"w": np.zeros((0, 3), np.float32)}, protocol=4))
    assert loaded["w"].shape == (0, 3)


def test_numpy_2_spelling(tmp_path: Path) -> None:
    for protocol in (0, 2):
        data = pickle.dumps(ARRAYS, protocol).replace(b"cnumpy.core.", b"cnumpy._core.")
        assert b"numpy._core" in data
        np.testing.assert_array_equal(load_state(write(tmp_path / "w.pkl", data))["weight"], ARRAYS["weight"])


def test_python_2_strings(tmp_path: Path) -> None:
    raw = np.array([1.5, -2.0], "<f4").tobytes()
    data = (
        b"\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + struct.pack("B", len(raw)) + raw + b"tbs."
    )
    np.testing.assert_array_equal(load_state(write(tmp_path / "w.pkl", data))["w"], [1.5, -2.0])


def test_torch_tensors_are_accepted_from_archives_and_pickles(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"weight": base, "turned": base.T[1:], "short": torch.tensor([1.5, 2.0], dtype=torch.bfloat16)}
    archive = tmp_path / "archive.pkl"
    torch.save({"model": tensors}, archive)
    for path in (archive, write(tmp_path / "plain.pkl", {"model": tensors, "__author__": "x"})):
        loaded = load_state(path)
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(loaded[name], tensor.float().numpy())


def test_state_loses_the_prefix_of_parallel_training(tmp_path: Path) -> None:
    path = write(tmp_path / "weights.pkl", {"module.a": ARRAYS["weight"]})
    assert list(load_state(path)) == ["a"]


# what is refused


class Reduced:
    """Pickles as the call ``function(*arguments)``."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


def text(value: object) -> bytes:
    encoded = str(value).encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def attacks(canary: Path) -> dict[str, bytes]:
    """Pickles that create the file ``canary`` when an ordinary unpickler reads them."""
    touch = f"touch {canary}"
    evil = Reduced(os.system, touch)
    objects = np.array([1.0, evil], object)
    structured = np.zeros(1, [("number", "f4"), ("object", "O")])
    structured["object"][0] = evil
    memmap = text(canary) + text("f4") + text("w+") + b"K\x00K\x01\x85t"
    torch_file = io.BytesIO()
    torch.save({"weight": evil}, torch_file, _use_new_zipfile_serialization=False)
    by_code = f"open({str(canary)!r}, 'w')"
    return {
        "GLOBAL, REDUCE": pickle.dumps({"w": evil}, 0),
        "GLOBAL, REDUCE in binary": pickle.dumps({"w": evil}, 2),
        "STACK_GLOBAL, REDUCE": pickle.dumps({"w": evil}, 4),
        "INST": b"(S'" + touch.encode() + b"'\nios\nsystem\n.",
        "OBJ": b"(cos\nsystem\n" + text(touch) + b"o.",
        "NEWOBJ": b"\x80\x02cnumpy\nmemmap\n(" + memmap + b"\x81.",
        "NEWOBJ_EX": b"\x80\x04cnumpy\nmemmap\n(" + memmap + b"}\x92.",
        "BUILD that plants a __setstate__": (
            b"\x80\x02ccollections\nOrderedDict\n)R}"
            + text("__setstate__")
            + b"cos\nsystem\nsb"
            + text(touch)
            + b"b."
        ),
        "as a key": pickle.dumps({evil: ARRAYS["weight"]}, 4),
        "beside the arrays": pickle.dumps({"model": ARRAYS, "__author__": evil}, 4),
        "in a list": pickle.dumps({"w": [ARRAYS["weight"], [evil]]}, 4),
        "in an array of objects": pickle.dumps({"w": objects}, 2),
        "in a structured array": pickle.dumps({"w": structured}, 2),
        "numpy that runs code": pickle.dumps(
            {"w": Reduced(np.testing._private.utils.runstring, by_code, {})}, 4
        ),
        "numpy that writes a file": pickle.dumps({"w": Reduced(np.memmap, str(canary), "f4", "w+", 0, 1)}, 4),
        "torch that unpickles": pickle.dumps(
            {"w": Reduced(torch.storage._load_from_bytes, torch_file.getvalue())}, 4
        ),
        "eval": pickle.dumps({"w": Reduced(eval, by_code)}, 4),
    }


ATTACKS = list(attacks(Path("unused")))


@pytest.mark.parametrize("name", ATTACKS)
def test_the_attacks_are_real(tmp_path: Path, name: str) -> None:
    canary = tmp_path / "canary"
    try:
        pickle.loads(attacks(canary)[name])
    except Exception as error:  # some fail after the deed
        print(error)
    assert canary.exists()


@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_in_a_file_is_run(tmp_path: Path, name: str, suffix: str) -> None:
    canary = tmp_path / "canary"
    path = write(tmp_path / f"weights{suffix}", attacks(canary)[name])
    with pytest.raises(WeightsError, match="leffa download"):
        load_state(path)
    assert not canary.exists()


def test_nothing_in_a_torch_archive_is_run(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    for path in (tmp_path / "weights.pkl", tmp_path / "weights.pth"):
        torch.save({"evil": Reduced(os.system, f"touch {canary}"), "w": ARRAYS["weight"]}, path)
        for read in (load_state, OpenPoseBody.from_file, DensePose.from_file):
            with pytest.raises(WeightsError, match=r"asks for posix\.system, .* not run"):
                read(path)
    assert not canary.exists()


@pytest.mark.parametrize(
    "name",
    [
        "numpy load",
        "numpy fromfile",
        "numpy ndarray.tofile",
        "numpy core.multiarray._reconstruct",
        "numpy.core.multiarray scalar",
        "numpy.core.multiarray fromfile",
        "numpy.core._multiarray_umath _reconstruct",
        "numpy.lib.npyio load",
        "collections namedtuple",
        "collections OrderedDict.fromkeys",
        "_codecs decode",
        "_codecs lookup",
        "builtins getattr",
        "__builtin__ eval",
        "torch load",
        "torch.serialization load",
        "posix system",
    ],
)
def test_only_exact_names_are_answered(tmp_path: Path, name: str) -> None:
    module, attribute = name.split()
    for data in (
        f"c{module}\n{attribute}\n.".encode(),
        b"\x80\x04" + text(module) + text(attribute) + b"\x93.",
    ):
        with pytest.raises(WeightsError, match=f"asks for {module}.{attribute}, .* not run"):
            load_state(write(tmp_path / "w.pkl", data))


def test_the_permitted_names_cannot_be_altered_or_misused(tmp_path: Path) -> None:
    reconstruct, ndarray = b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy\nndarray\n"
    dtype, codec = b"cnumpy\ndtype\n", b"c_codecs\nencode\n"
    planted = b"(N}" + text("__setstate__") + dtype + b"stb"
    for data in (
        reconstruct + b"(" + dtype + b"K\x00\x85U\x01btR.",  # of another class than ndarray
        ndarray + b"(K\x02tR.",
        b"\x80\x02" + ndarray + b"(K\x02t\x81.",
        dtype + text("O") + b"\x85R.",
        dtype + text("V8") + b"\x85R.",
        dtype + text("f4,O") + b"\x85R.",
        codec + text("x") + text("zlib_codec") + b"\x86R.",
        codec + text("x") + text("idna") + b"\x86R.",
        ndarray + planted + b".",
        reconstruct + planted + b".",
        dtype + planted + b".",
        b"P1\n.",  # a persistent id
        b"\x82\x01.",  # an extension
    ):
        with pytest.raises(WeightsError):
            load_state(write(tmp_path / "w.pkl", data))
    assert list(load_state(write(tmp_path / "w.pkl", ARRAYS))) == list(ARRAYS)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"w": np.array([1, "two"], object)}, "array of 'O8'"),
        ({"w": np.array(["text"])}, "array of 'U4'"),
        ({"w": np.zeros(2, [("a", "f4")])}, "array of 'V4'"),
        ({"w": [1.0]}, "'w' is no array"),
        ({1: ARRAYS["weight"]}, "names an array 1"),
        ([ARRAYS["weight"]], "no mapping"),
        ({}, "no mapping"),
        (b"", "is empty"),
        (b"<html>404</html>", "is a web page"),
        (pickle.dumps(ARRAYS)[:-200], "cut short|damaged"),
        (b"PK\x03\x04 and no archive", "damaged"),
        (
            pickle.dumps(ARRAYS["weight"], 2).replace(b"K\x02K\x03K\x04", b"K\x02K\x03K\x05"),
            "piece is missing",
        ),
    ],
)
def test_what_is_no_weights_file_is_named(tmp_path: Path, content: object, reason: str) -> None:
    path = write(tmp_path / "weights.pkl", content)
    with pytest.raises(WeightsError, match=reason) as caught:
        load_state(path)
    assert str(path) in str(caught.value) and "leffa download" in str(caught.value)


def test_a_tensor_cannot_reach_beyond_its_storage(tmp_path: Path) -> None:
    tensor = torch.arange(4.0)
    data = pickle.dumps({"w": tensor.reshape(2, 2)}, 2)
    assert data.count(b"K\x02K\x02\x86") == 1
    with pytest.raises(WeightsError, match="damaged"):
        load_state(write(tmp_path / "w.pkl", data.replace(b"K\x02K\x02\x86", b"K\x09K\x02\x86")))


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for name in ("missing.pkl", "missing.pth", "missing.safetensors"):
        with pytest.raises(WeightsError, match="There is no weights file"):
            load_state(tmp_path / name)
    with pytest.raises(WeightsError, match="unknown kind"):
        load_state(write(tmp_path / "weights.exe", b"x"))
    with pytest.raises(WeightsError, match="is no safetensors file"):
        load_state(write(tmp_path / "weights.safetensors", b"\xff" * 100))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="state dict"):
        load_state(tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=r"lacks conv1_1\.weight, .* and 181 more"):
        OpenPoseBody.from_file(write(tmp_path / "other.pkl", ARRAYS))
