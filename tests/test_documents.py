"""README and guides: their links, and the lists that the pages of the API are made with."""

import re

import pytest
from documents import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text()):
        assert (page.parent / target).exists(), target


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
