"""An HTML sheet of results beside the truth, the worst first, in one file that loads nothing."""

import base64
import heapq
import html
import io
import itertools
from pathlib import Path

from PIL import Image

from leffa import __version__
from leffa.files import MARK, write_text
from leffa.images import load_image

WORST = 40
SIDE = 320  # px
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem;max-width:60rem}img{max-width:48%;height:auto}"
    "figure{margin:1rem 0}pre{white-space:pre-wrap}"
)


class Worst:
    """Keeps the worst pairs of any number, told one by one; pass ``add`` to ``evaluate_folders``."""

    def __init__(self, count: int = WORST):
        self._count, self._order = count, itertools.count()
        self._heap: list[tuple[float, int, str, Path, Path, dict[str, float]]] = []

    def add(self, name: str, result: Path, truth: Path, figures: dict[str, float]) -> None:
        """Take in a pair. What LPIPS finds far apart is bad; without LPIPS, what SSIM finds unlike."""
        distance = next((value for figure, value in figures.items() if figure.startswith("LPIPS")), None)
        badness = -figures["SSIM"] if distance is None else distance
        entry = (badness, next(self._order), name, result, truth, figures)
        if len(self._heap) < self._count:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def pairs(self) -> list[tuple[str, Path, Path, dict[str, float]]]:
        """The worst first."""
        return [entry[2:] for entry in sorted(self._heap, reverse=True)]


def write_sheet(path: Path, title: str, table: str, worst: Worst) -> None:
    """Write the sheet: the table in Markdown, then each pair, result left and truth right."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>",
        f'<meta name=generator content="{MARK} {__version__}"><style>{_STYLE}</style>',
        f"<h1>{html.escape(title)}</h1><pre>{html.escape(table)}</pre><h2>The worst first</h2>",
    ]
    for name, result, truth, figures in worst.pairs():
        said = ", ".join(f"{figure} {value:.4f}" for figure, value in figures.items())
        shown = "".join(
            f'<img alt="{what} of {html.escape(name, quote=True)}" src="{_embedded(file)}"> '
            for what, file in (("result", result), ("truth", truth))
        )
        parts.append(f"<figure>{shown}<figcaption>{html.escape(name)}: {said}</figcaption></figure>")
    write_text(path, "\n".join(parts) + "\n</html>\n")


def _embedded(path: Path) -> str:
    picture = load_image(path)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
