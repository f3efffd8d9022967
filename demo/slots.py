"""The pictures that a visitor has chosen on a tab."""

from dataclasses import dataclass, field, replace
from typing import Any

from leffa.preprocess.prepared import Prepared


@dataclass
class Picked:
    """One picture a visitor has chosen, read once.

    path      the file, for the page to show again
    digest    SHA-256 of the file
    prepared  the people found in it; None for garments
    measure   sleeve and hem of a garment, by its kind, once measured; which kind it looks like, and
              whether somebody wears it
    example   its name among the examples; None for an upload
    """

    image: Any
    path: str
    digest: str
    prepared: Prepared | None = None
    measure: dict[str, Any] = field(default_factory=dict)
    example: str | None = None


@dataclass
class Slots:
    """The chosen pictures of one tab and what was made of them.

    pictures   slot -> picture; slots are photo and garment, or person and pose
    choices    values of the widgets that a run depends on, beside the settings
    automatic  the (H, W) uint8 mask before the strokes; when changing pose the prepared pose
    expected   slot -> SHA-256 of the picture of a restored run that is still missing
    """

    pictures: dict[str, Picked] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    automatic: Any = None
    strokes: list[Any] = field(default_factory=list)
    expected: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Slots":
        """The same, to be kept while the visitor goes on changing these."""
        return replace(
            self, pictures=dict(self.pictures), choices=dict(self.choices), strokes=list(self.strokes)
        )
