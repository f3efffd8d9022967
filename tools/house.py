"""How the house is built, in figures.

python tools/house.py                     this checkout, as a Markdown table
python tools/house.py --before OLD        beside an older checkout (git worktree add OLD COMMIT)
python tools/house.py --quick             what is read off the files alone: nothing is started
"""

import argparse
import ast
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAME_LINES, LONG, STARTS = 6, (40, 60), 5  # lines that make a pair; of a function; the quickest start counts
WINGS = ("leffa", "demo")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Trees = dict[str, tuple[str, ast.Module]]
"""Dotted name -> source and syntax"""


def read(root: Path) -> Trees:
    """Every module of ``leffa`` and ``demo``."""
    found = {}
    for path in sorted(path for wing in WINGS for path in (root / wing).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path.read_text(), ast.parse(path.read_text())
    return found


def function_lengths(trees: Trees) -> list[int]:
    nodes = (node for _, tree in trees.values() for node in ast.walk(tree))
    return [(n.end_lineno or n.lineno) - n.lineno + 1 for n in nodes if isinstance(n, FUNCTIONS)]


def pairs_written_twice(trees: Trees) -> int:
    """Pairs of places that share ``SAME_LINES`` lines or more, without blank ones, comments and imports."""
    places = defaultdict(list)
    for name, (source, _) in trees.items():
        stripped = (line.strip() for line in source.splitlines())
        lines = [one for one in stripped if len(one) > 3 and not one.startswith(("#", "import ", "from "))]
        for start in range(len(lines) - SAME_LINES + 1):
            places[tuple(lines[start : start + SAME_LINES])].append((name, start))
    pairs = {(a, b) for same in places.values() for n, a in enumerate(same) for b in same[n + 1 :]}
    return sum(((a[0], a[1] - 1), (b[0], b[1] - 1)) not in pairs for a, b in pairs)


def imports(tree: ast.Module, known: set[str]) -> Iterator[tuple[str, bool]]:
    """Each of our modules that a module names, and whether inside a function."""
    late = {inner for node in ast.walk(tree) if isinstance(node, FUNCTIONS) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in WINGS:
            parts = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from ((module, node in late) for module in parts or {node.module})


def modules_in_circles(graph: dict[str, set[str]]) -> int:
    """How many modules need, by whatever way round, themselves."""
    reached = {module: named & set(graph) for module, named in graph.items()}
    for middle in graph:
        for module in graph:
            if middle in reached[module]:
                reached[module] |= reached[middle]
    return sum(module in reached[module] for module in graph)


def seconds(root: Path, *arguments: str) -> float:
    """Of computing, for the quickest of some starts of this Python: a busy machine does not count."""
    took = []
    for _ in range(STARTS):
        before = os.times()
        subprocess.run([sys.executable, *arguments], cwd=root, check=True, capture_output=True)
        took.append(sum(os.times()[2:4]) - sum(before[2:4]))
    return min(took)


def figures(root: Path, quick: bool) -> dict[str, str]:
    """Name of each figure -> its value for a checkout."""
    trees = read(root)
    sizes = {name: source.count("\n") for name, (source, _) in trees.items()}
    lines: Counter[str] = Counter()
    for name, size in sizes.items():
        wing = ".".join(name.split(".")[: 1 if name.startswith("demo") else 2])
        lines["single modules" if (root / wing.replace(".", "/")).with_suffix(".py").is_file() else wing] += (
            size
        )
    named = {name: list(imports(tree, set(trees))) for name, (_, tree) in trees.items()}
    graph = {name: {other for other, _ in named[name] if other in trees} - {name} for name in trees}
    del graph["leffa"]  # the front door hands out what stands on any floor
    lengths = function_lengths(trees)
    result = {
        "modules at the top of `leffa/`": str(len(list((root / "leffa").glob("[!_]*.py")))),
        "modules; lines": f"{len(trees)}; {sum(sizes.values()):,}",
        **{f"- {wing}": f"{count:,}" for wing, count in sorted(lines.items())},
        "modules under 70 lines": str(sum(size < 70 for size in sizes.values())),
        **{f"functions over {most} lines": str(sum(n > most for n in lengths)) for most in LONG},
        f"pairs of {SAME_LINES} lines written twice": str(pairs_written_twice(trees)),
        "modules in circles of imports": str(modules_in_circles(graph)),
        "late imports of our own": str(sum(late for found in named.values() for _, late in found)),
    }
    if not quick:
        result["`import leffa`, CPU"] = f"{seconds(root, '-c', 'import leffa'):.2f} s"
        result["`leffa --help`, CPU"] = f"{seconds(root, '-m', 'leffa.cli', '--help'):.2f} s"
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, metavar="OLD", help="an older checkout")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    columns = [figures(root, options.quick) for root in (options.before, ROOT) if root]
    rows = dict.fromkeys(name for column in reversed(columns) for name in column)
    print("| |", " | ".join(["before", "now"][-len(columns) :]), "|\n|---|" + "---:|" * len(columns))
    for row in rows:
        print(f"| {row} |", " | ".join(column.get(row, "") for column in columns), "|")
