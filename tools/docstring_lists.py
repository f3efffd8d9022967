"""An extension of griffe for `make docs`: what our docstrings say of each argument, as a list in Markdown.

A line ``name  what it is`` of a docstring becomes an entry, and the deeper lines after it belong to it.
"""

import re
from typing import Any

import griffe

_ENTRY = re.compile(r"(?P<names>[`\w][^\n]*?\S|\w)  +(?P<text>\S.*)")


def as_markdown(text: str) -> str:
    """The docstring with its aligned entries as bullets."""
    lines: list[str] = []
    in_entry = False
    for line in text.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry:
            if not in_entry and lines and lines[-1]:
                lines.append("")
            lines.append(f"* **{entry['names'].replace('``', '`')}**: {entry['text']}")
        elif in_entry and line.startswith("  "):
            lines[-1] += f" {line.strip()}"
        else:
            if in_entry and line:
                lines.append("")
            lines.append(line)
        in_entry = bool(entry) or (in_entry and line.startswith("  "))
    return "\n".join(lines)


class DocstringLists(griffe.Extension):
    """Applies ``as_markdown`` to every docstring that is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
