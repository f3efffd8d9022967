"""The rules of the house: who may know whom, what the doors hand out, and that every wing has a door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import leffa
from leffa import cli
from leffa.preprocess import official

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "leffa").rglob("*.py"))
APP = sorted((ROOT / "demo").rglob("*.py"))


def imported(path):
    """Names of the modules that a file imports, at its top or later, by statement or by ``import_module``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            yield from (part.value for part in node.args if isinstance(part, ast.Constant))


FLOORS = [
    {"config", "errors", "imports", "intactness", "report"},
    {"files", "safe_pickle"},
    {"images"},
    {"model"},
    {"framing"},
    {"weights"},
    {"preprocess"},
    {"data", "integrations"},
    {"synthetic"},
    {"data.sources"},
    {"composition"},
    {"training"},
    {"run"},
    {"explain"},
    {"provenance"},
    {"engine"},
    {"batch", "doctor", "metrics"},
    {"cli"},
]
"""From the ground up: wings, and modules that stand alone. An import goes down, or stays in its wing."""


def floor_of(module):
    """Number of the floor a module stands on, by the longest name that fits; and that name."""
    parts = module.split(".")[1:]
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        for number, names in enumerate(FLOORS):
            if name in names:
                return number, name
    raise AssertionError(f"{module} has no floor: say in FLOORS what it may import")


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of_ours(paths=MODULES):
    """Module -> those of ``paths`` that it names: at its top, later, or for types only."""
    names = {name_of(path) for path in paths}
    found = {}
    for path in paths:
        if path == ROOT / "leffa" / "__init__.py":
            continue  # the front door hands out what stands on any floor
        named = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("leffa", "demo")):
                named |= {f"{node.module}.{alias.name}" for alias in node.names} & names
                named |= (
                    {node.module}
                    if any(f"{node.module}.{a.name}" not in names for a in node.names)
                    else set()
                )
            elif isinstance(node, ast.Import):
                named |= {alias.name for alias in node.names} & names
        found[name_of(path)] = named - {name_of(path), "leffa"}
    return found


def test_every_import_goes_down_or_stays_in_its_wing():
    upward = []
    for module, named in imports_of_ours().items():
        floor, wing = floor_of(module)
        for other in named:
            other_floor, other_wing = floor_of(other)
            if other_floor >= floor and other_wing != wing:
                upward.append(f"{module} -> {other}")
    assert upward == []


def test_no_two_modules_need_each_other():
    """Not even for types, or in a function: a circle means that a value type stands too high."""
    graph = imports_of_ours([*MODULES, *APP])
    reached = {module: named & set(graph) for module, named in graph.items()}
    for middle in graph:
        for module in graph:
            if middle in reached[module]:
                reached[module] |= reached[middle]
    assert [module for module in graph if module in reached[module]] == []


def test_the_library_never_imports_the_app():
    assert len(MODULES) > 100
    guests = {"demo", "tests", "tools", "benchmarks"}
    assert [path for path in MODULES if guests & {name.split(".")[0] for name in imported(path)}] == []


def test_the_app_is_started_as_a_program_of_its_own(monkeypatch):
    ran = []
    monkeypatch.setattr("os.execv", lambda program, arguments: ran.append((program, arguments)))
    assert cli.main(["app", "--port", "7999"]) == 0
    [(program, arguments)] = ran
    assert program == sys.executable and arguments[-4:] == ["--host", "127.0.0.1", "--port", "7999"]
    help_ = subprocess.run([*arguments, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--mcp" in help_.stdout


def test_where_there_is_no_app_one_sentence_says_so(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    assert cli.main(["app"]) == cli.EXIT_BAD_INPUT
    assert "pip install" in capsys.readouterr().err


@pytest.mark.parametrize("door", [leffa, official], ids=lambda door: door.__name__)
def test_a_door_hands_out_all_it_names(door):
    assert all(getattr(door, name) is not None for name in door.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = door.nothing


def test_settings_need_no_torch():
    script = (
        "import sys; from leffa import Garment, Settings; Settings(steps=3); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_diffusers_comes_without_its_quantizers():
    """Four lines of warnings and a second on every command, where torchao is installed."""
    script = "import sys, leffa.engine; print('torchao' in sys.modules, 'diffusers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"] and "torchao" not in done.stderr
    others = [path.name for path in MODULES if any(name.startswith("diffusers") for name in imported(path))]
    assert others == ["flux.py", "library.py"]  # Flux is asked for by those who have it


def test_a_run_loads_nothing_that_it_does_not_use(tmp_path):
    """Each of them costs up to three seconds of every command."""
    heavy = ("torch._dynamo", "torch.distributed.fsdp", "sympy", "scipy.stats._stats_py", "matplotlib")
    heavy += ("diffusers.models.transformers.transformer_flux", "gradio")
    examples = ROOT / "assets" / "examples"
    run = ["tryon", str(next(examples.glob("people/02-*"))), str(next(examples.glob("garments/upper/07-*")))]
    run += ["--seed", "0", "--steps", "1", "-o", str(tmp_path / "picture.png")]
    script = (
        f"import sys; from leffa import cli; code = cli.main({run!r})\n"
        f"print(code, [name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


def test_what_was_left_out_of_a_library_still_comes_when_asked_for():
    script = (
        "import sys, torch, leffa.model.library as library\n"
        "from diffusers import AutoencoderTiny, FluxTransformer2DModel, UNet2DModel\n"
        "import diffusers.models.autoencoders as kinds, diffusers.models.unets as unets\n"
        "assert kinds.AutoencoderKL is library.AutoencoderKL and unets.UNet2DModel is UNet2DModel\n"
        "assert library.EMAModel.__name__ == 'EMAModel' and not hasattr(library, 'nothing')\n"
        "assert not hasattr(kinds, 'nothing')\n"
        "assert torch.compiler.disable.__module__ == 'torch.compiler'\n"
        "assert torch._dynamo.is_compiling() is False\n"
        "import scipy.stats; assert scipy.stats.beta.ppf(0.5, 1, 1) == 0.5\n"
        "print('all')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "all"


def test_every_benchmark_and_tool_has_a_quick_form():
    """``make bench``, and so CI, runs them all."""
    asked = subprocess.run(
        ["make", "--no-print-directory", "-s", "--eval", "told: ; @echo $(SCRIPTS)", "told"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    scripts = {path for room in ("benchmarks", "tools") for path in (ROOT / room).glob("*.py")}
    assert {ROOT / name for name in asked.stdout.split()} == scripts - {
        ROOT / "tools" / name for name in ("bake_body.py", "chromium.py", "docstring_lists.py", "extra.py")
    }
    assert all('"--quick"' in (ROOT / name).read_text() for name in asked.stdout.split())


def test_every_wing_says_what_is_in_it():
    doors = [path for path in MODULES if path.name == "__init__.py"]
    bare = [path for path in doors if not ast.get_docstring(ast.parse(path.read_text()))]
    rooms = {path.parent for path in MODULES}
    assert bare == [] and rooms == {path.parent for path in doors}
