"""What README and guides tell people to type: every command of ours is parsed, every snippet compiles."""

import re
import shlex
from pathlib import Path

import pytest

from leffa import cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def commands():
    for page in PAGES:
        for block in blocks(page, "(?:bash|sh)?"):
            for line in block.replace("\\\n", " ").splitlines():
                text = re.split(r"\s#\s", line)[0]
                for part in re.split(r"&&|\|", text):
                    if part.strip().startswith("leffa "):
                        yield pytest.param(part.strip(), id=f"{page.name}: {part.strip()[:60]}")


@pytest.mark.parametrize("command", commands())
def test_commands_are_understood(command):
    cli._parser().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_compile(page):
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_a_command_that_is_no_more_would_be_found():
    with pytest.raises(SystemExit):
        cli._parser().parse_args(["tryon", "a.jpg", "b.jpg", "-o", "c.png", "--gone"])


def test_what_docstrings_say_of_arguments_becomes_a_list():
    lists = pytest.importorskip("tools.docstring_lists", reason="griffe comes with `make docs`")
    text = """Purpose, told first.

person    the photo,
          upright
seed, steps  numbers; ``None`` = the model's
Raises what it must.
    code  stays
"""
    assert lists.as_markdown(text).splitlines() == [
        "Purpose, told first.", "", "* **person**: the photo, upright",
        "* **seed, steps**: numbers; ``None`` = the model's", "", "Raises what it must.", "    code  stays",
    ]  # fmt: skip
