"""Where the worn top ends and the bottom begins, by colour; no weights."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from leffa.preprocess.offline.colours import Colours
from leffa.preprocess.offline.drawing import Array, Mask
from leffa.preprocess.offline.figure import Figure, Group

# Heights above the line of the hips, in torso lengths (hips to shoulders).
_LOWEST, _HIGHEST, _STEP = -0.75, 0.60, 0.01
_ROWS = round((_HIGHEST - _LOWEST) / _STEP)
_COLUMNS = 12
_HALF_WIDTH = 0.37  # of the strip down the middle that is looked at, in shoulder widths
_WINDOW = 20  # rows on each side whose colours are compared
_USUAL = 0.12  # most tops end a little above the hips
_WEIGHT = np.array([0.6, 1.2, 1.2], np.float32)  # shade changes more than hue within one fabric
_TILTS = (-4, -2, 0, 2, 4)  # rows that a border may rise from one edge of the strip to the other, times 2


@dataclass(frozen=True)
class FoundHem:
    """Heights above the hips, in pixels, between which top and bottom meet; one and the same if it is clear.

    A print or a belt can look like a border too: a mask for tops goes down to ``low``, one for bottoms up
    to ``high``.
    """

    low: float
    high: float


def find_hem(figure: Figure, colours: Colours, skin: Mask | None) -> FoundHem | None:
    """Border between top and bottom; None where none is clear.

    First by the colours above and below, put right on the sharpest edge nearby; where both garments have
    one colour, by a single line that runs all the way across. ``skin`` (H, W): a change to bare skin is
    where shorts or a skirt end, not where two garments meet.
    """
    strip = _Strip(figure, colours, skin)
    edge = strip.edge_strength()
    rows = _by_colour(strip)
    for index, row in enumerate(rows):
        near = slice(max(row - 8, 0), row + 9)
        if edge[near].max() > 3:
            rows[index] = near.start + round(
                float(np.flatnonzero(edge[near] > 0.9 * edge[near].max()).mean())
            )
    if not rows:
        rows = _by_edge(strip, edge)
    heights = [(_LOWEST + row * _STEP) * figure.skeleton.torso_length for row in rows]
    return FoundHem(min(heights), max(heights)) if heights else None


class _Strip:
    """Colours down the middle of torso and thighs on a grid of heights (rows, from below) and columns."""

    def __init__(self, figure: Figure, colours: Colours, skin: Mask | None) -> None:
        skeleton, torso = figure.skeleton, figure.skeleton.torso_length
        inside = figure.is_in(Group.TORSO, Group.UPPER_LEG, Group.LOWER_LEG)
        inside &= np.abs(figure.lateral) < _HALF_WIDTH * skeleton.scale
        inside &= (figure.rise > _LOWEST * torso) & (figure.rise < _HIGHEST * torso)
        rows = np.floor((figure.rise[inside] / torso - _LOWEST) / _STEP).astype(np.intp)
        columns = np.floor((figure.lateral[inside] / skeleton.scale / _HALF_WIDTH + 1) * _COLUMNS / 2)
        cell = np.clip(rows, 0, _ROWS - 1) * _COLUMNS + np.clip(columns.astype(np.intp), 0, _COLUMNS - 1)
        size = np.bincount(cell, minlength=_ROWS * _COLUMNS).reshape(_ROWS, _COLUMNS)
        # In a small picture there are fewer pixels than rows: an empty row shows what its neighbour shows.
        filled = np.flatnonzero(size.any(1))
        shown = np.arange(_ROWS)
        if filled.size:
            after = np.clip(np.searchsorted(filled, shown), 0, filled.size - 1)
            before = np.maximum(after - 1, 0)
            near_after = np.abs(filled[after] - shown) <= np.abs(filled[before] - shown)
            nearest = np.where(near_after, filled[after], filled[before])
            shown = np.where(np.abs(nearest - shown) <= 3, nearest, shown)
        self.size = size[shown]

        def mean(values: Array) -> Array:
            total = np.bincount(cell, values, minlength=_ROWS * _COLUMNS).reshape(_ROWS, _COLUMNS)
            return (total / np.maximum(size, 1)).astype(np.float32)[shown]

        # Change of each channel per pixel upwards along the body.
        step_x = cv2.Sobel(colours.lab, cv2.CV_32F, 1, 0, scale=1 / 8)[inside]
        step_y = cv2.Sobel(colours.lab, cv2.CV_32F, 0, 1, scale=1 / 8)[inside]
        upwards = step_x * skeleton.up[0] + step_y * skeleton.up[1]
        lab = colours.lab[inside].astype(np.float32) * _WEIGHT
        self.change = np.stack([mean(upwards[:, channel]) for channel in range(3)], -1)
        self.colour = np.stack([mean(lab[:, channel]) for channel in range(3)], -1)
        self.square = mean(lab[:, 0] ** 2)
        self.bare = np.zeros((_ROWS, _COLUMNS)) if skin is None else mean(skin[inside].astype(np.float32))
        lag = 2  # rows: less than that is within one pixel of a small picture
        steps = np.abs(self.colour[lag:, :, 0] - self.colour[:-lag, :, 0])
        steps[(self.size[lag:] == 0) | (self.size[:-lag] == 0)] = np.nan
        known = np.isfinite(steps).any(1)
        rough = np.zeros(_ROWS, np.float32)
        rough[lag:][known] = np.nanmedian(steps[known], axis=1)
        self.rough = cv2.blur(rough[:, None], (1, 5))[:, 0]
        chest = slice(round((0.35 - _LOWEST) / _STEP), _ROWS)
        self.skinlike_top = float((self.bare[chest] * self.size[chest]).sum()) > 0.5 * self.size[chest].sum()

    def is_bare(self, rows: slice) -> bool:
        """A good part is skin there, as far as skin can be told from this top."""
        size = self.size[rows].sum(1)
        bare = (self.bare[rows] * self.size[rows]).sum(1) > 0.7 * np.maximum(size, 1)
        bare &= self.rough[rows] < 5  # skin is smooth, a leopard print is not
        return not self.skinlike_top and np.count_nonzero(bare) > 0.25 * max(np.count_nonzero(size), 1)

    def is_plain(self, rows: slice) -> bool:
        """Without print: lightness hardly varies from cell to cell."""
        filled = self.size[rows] > 0
        return bool(filled.any()) and float(self.colour[rows][filled][:, 0].std()) < 8

    def edge_strength(self) -> Array:
        """(rows,): colour change that most columns share there, at the best of a few tilts."""
        smooth = cv2.blur(self.change.reshape(_ROWS, -1), (1, 3)).reshape(self.change.shape)
        filled = self.size.sum(1) > 0
        best = np.zeros(_ROWS, np.float32)
        for tilt in _TILTS:
            shift = np.rint(np.linspace(-tilt, tilt, _COLUMNS)).astype(int)
            tilted = np.stack([np.roll(smooth[:, i], shift[i], axis=0) for i in range(_COLUMNS)], 1)
            best = np.maximum(best, np.linalg.norm(np.median(tilted, axis=1), axis=-1))
        return np.where(filled, best, 0)


def _by_colour(strip: _Strip) -> list[int]:
    """Rows of the strongest change between the colours above and below, and of any nearly as strong."""
    weight = strip.size.sum(1)
    safe = np.maximum(weight, 1)[:, None]
    middle = (strip.colour * strip.size[..., None]).sum(1) / safe
    variance = (strip.square * strip.size).sum(1) / safe[:, 0] - middle[:, 0] ** 2
    # A print has its ground's and its figure's mean colour; how much lightness varies tells it as well.
    table = np.concatenate([middle, 0.5 * np.sqrt(np.maximum(variance, 0))[:, None]], 1)
    table[weight == 0] = np.nan
    margin = np.full((_WINDOW // 2, 4), np.nan)
    windows = sliding_window_view(np.concatenate([margin, table, margin]), _WINDOW, axis=0)
    typical, scatter = np.full((len(windows), 4), np.nan), np.full(len(windows), np.nan)
    enough = np.isfinite(windows[:, 0]).sum(1) >= _WINDOW // 2
    typical[enough] = np.nanmedian(windows[enough], axis=2)
    deviation = np.linalg.norm(windows[enough] - typical[enough, :, None], axis=1)
    scatter[enough] = np.nanmean(deviation, axis=1)

    # Window i covers the rows i - W / 2 up to i + W / 2: below row r lies i = r - W / 2, above it r + W / 2.
    rows_at = np.arange(_WINDOW // 2, len(windows) - _WINDOW // 2)
    below, above = rows_at - _WINDOW // 2, rows_at + _WINDOW // 2
    jumps = np.zeros(_ROWS)
    jump = np.linalg.norm(typical[below] - typical[above], axis=1) - 0.5 * (scatter[below] + scatter[above])
    jump -= 8 * np.abs(_LOWEST + rows_at * _STEP - _USUAL)
    jumps[rows_at] = np.nan_to_num(jump)
    rows: list[int] = []
    least = 9.0
    while jumps.max() > least:
        row = int(jumps.argmax())
        if strip.is_bare(slice(max(row - _WINDOW, 0), row)):
            jumps[row] = 0
            continue
        least = max(least, 0.6 * jumps[row])
        rows.append(row)
        jumps[max(row - _WINDOW, 0) : row + _WINDOW + 1] = 0
    return rows


def _by_edge(strip: _Strip, edge: Array) -> list[int]:
    """Row of one edge that runs across plain cloth and has no rival: folds have many, a plain dress none."""
    heights = _LOWEST + np.arange(_ROWS) * _STEP
    edge = np.where((heights > -0.2) & (heights < 0.5), edge, 0)
    row = int(edge.argmax())
    rivals = np.delete(edge, slice(max(row - 5, 0), row + 6))
    below, above = slice(max(row - _WINDOW // 2, 0), row - 1), slice(row + 2, row + _WINDOW // 2)
    clear = edge[row] > max(1.0, 1.5 * float(rivals.max())) and not strip.is_bare(below)
    return [row] if clear and strip.is_plain(below) and strip.is_plain(above) else []
