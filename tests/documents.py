"""README and guides as what they tell people to type: the lines of their shell blocks, and their snippets."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL, PYTHON, SHOWN = ("", "bash", "sh"), "python", ("text", "nginx")  # SHOWN is not for typing
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)


class Step(NamedTuple):
    """One thing to type: a command line, or a snippet of Python."""

    is_snippet: bool
    text: str


def steps(page: str) -> Iterator[Step]:
    """In the page's order; ValueError for a block in a language that is neither run nor known to be shown."""
    for language, block in _FENCE.findall(page):
        if language == PYTHON:
            yield Step(True, block)
        elif language in SHELL:
            yield from (Step(False, line) for line in command_lines(block))
        elif language not in SHOWN:
            raise ValueError(f"a block in {language!r}: is it for typing?")


def command_lines(block: str) -> Iterator[str]:
    """The commands of a block: joined where a line goes on, without comments, one for each part of ``&&``."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|", re.split(r"\s#\s", line)[0]):
            if part.strip():
                yield " ".join(part.split())


def inline(page: str) -> Iterator[str]:
    """What stands between backquotes outside the blocks, on one line."""
    for text in re.findall(r"`([^`]+)`", _FENCE.sub("", page)):
        yield " ".join(text.split())
