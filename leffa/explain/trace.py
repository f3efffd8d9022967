"""From a place on the result to the places on the reference it looks at, and the other way.

Places are (x, y) in [0, 1] of a picture's width and height: x to the right, y down.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from leffa.config import MAX_TIMESTEP
from leffa.errors import LeffaError
from leffa.explain.views import laid_flow, shown_flow
from leffa.framing import Region
from leffa.images import within
from leffa.model.flow import FlowField, certainty, merge, warp
from leffa.run.result import Result

MAP_SIDE = 384  # px: maps of where a place of the reference went need no more; the flow itself is coarser
REACH = 0.035  # of the reference's width: what is that near to a clicked place counts as that place
LEAST_HEAT = 0.15


@dataclass(frozen=True)
class Place:
    """A place on one of the pictures.

    x, y     in [0, 1]
    weight   share of the whole look, in [0, 1]
    layer, timestep  of the attention that looks there; None where several are merged
    """

    x: float
    y: float
    weight: float
    layer: str | None = None
    timestep: int | None = None


@dataclass(frozen=True)
class Trace:
    """Where a clicked place leads.

    places  heaviest first; empty where nothing is known: outside the mask, or a place that was not used
    middle  the weighted mean of the look, or None
    spread  how scattered it is, in shares of the other picture's width; nan for a look back
    mass    share of the attention that goes to the reference at all, in [0, 1]; nan for a look back
    heat    (h, w) float32 in [0, 1] over the other picture; None for a look at the reference
    """

    places: list[Place]
    middle: Place | None = None
    spread: float = float("nan")
    mass: float = float("nan")
    heat: NDArray[np.float32] | None = None


def to_reference(
    result: Result,
    x: float,
    y: float,
    sample: int = 0,
    layer: str | None = None,
    timestep: int | None = None,
    most: int = 12,
) -> Trace:
    """Places on the reference that a place of the result looks at, each layer and step apart.

    layer, timestep  only this layer, only this step; None = all of those that are merged, with the refined
                     flow's place as their middle where the picture was laid by it. Each place has the weight
                     its layer and step have in the merged flow there, see ``certainty``.

    Raises LeffaError for a place outside the picture, or an unknown layer, step or sample.
    """
    _check(result, x, y, sample)
    height, width = result.mask.shape
    row, column = _pixel(x, y, (height, width))
    if result.mask[row, column] <= 127:
        return Trace([])
    framed = _to_frame(result.region, x * width, y * height)
    looks, weights, spreads, masses = [], [], [], []
    for name, step, field in _chosen(result, sample, layer, timestep):
        flow, spread, mass = _at(field, framed)
        target = result.reference_region.places(flow)
        looks.append((name, step, (target + 1) / 2))
        weights.append(certainty(mass, spread))
        spreads.append(spread)
        masses.append(mass)
    share = np.array(weights) / max(sum(weights), 1e-12)
    places = [
        Place(float(place[0]), float(place[1]), float(weight), name, step)
        for (name, step, place), weight in zip(looks, share, strict=True)
    ]
    middle = np.sum([weight * place for (_, _, place), weight in zip(looks, share, strict=True)], axis=0)
    if layer is None and timestep is None and result.compositions:
        laid, lies = laid_flow(result, sample)
        if lies[row, column] > 0.5:  # surer than the attention: the picture was made by it
            middle = (laid.flow[row, column].numpy() + 1) / 2
    scatter = float(np.dot(share, spreads)) * _frame_share(result.reference_region)
    return Trace(
        sorted(places, key=lambda place: -place.weight)[:most],
        Place(float(middle[0]), float(middle[1]), 1.0),
        scatter,
        float(np.dot(share, masses)),
    )


def to_result(
    result: Result,
    x: float,
    y: float,
    sample: int = 0,
    layer: str | None = None,
    timestep: int | None = None,
    most: int = 4,
) -> Trace:
    """Places on the result that look at a place of the reference, with a map of how near they look to it.

    A place of the result counts by how near its look falls, and by how much its flow means something at all
    (``views.shown_flow``). Arguments and errors as in ``to_reference``.
    """
    _check(result, x, y, sample)
    if layer is None and timestep is None:
        field, lies = laid_flow(result, sample)
    else:
        field, lies = field_on_photo(result, sample, layer, timestep), shown_flow(result, sample)
    size = within((result.mask.shape[0], result.mask.shape[1]), MAP_SIDE)
    shown = cv2.resize(lies, size[::-1], interpolation=cv2.INTER_AREA)
    flow = cv2.resize(field.flow.numpy(), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    reference_width, reference_height = result.reference.size
    aspect = np.array([1.0, reference_height / reference_width], np.float32)
    distance = np.linalg.norm(((flow + 1) / 2 - np.array([x, y], np.float32)) * aspect, axis=-1)
    heat = (np.exp(-0.5 * (distance / REACH) ** 2) * shown).astype(np.float32)
    if heat.max() < LEAST_HEAT:
        return Trace([], heat=heat)
    places = _peaks(heat, most)
    return Trace(places, places[0], heat=heat)


def field_on_photo(
    result: Result, sample: int = 0, layer: str | None = None, timestep: int | None = None
) -> FlowField:
    """The flow of a layer, a step, or both, at the photo's size and with places on the reference.

    With neither it is the run's own merged flow. Raises LeffaError for what was not captured.
    """
    if layer is None and timestep is None:
        return result.fields[sample]
    fields = [
        field.map(lambda values: values[None]) for _, _, field in _chosen(result, sample, layer, timestep)
    ]
    merged = merge(fields, result.region.letterbox.frame)[0]
    return result.region.on_photo(result.region.unframed(merged, result.reference_region))


def _chosen(
    result: Result, sample: int, layer: str | None, timestep: int | None
) -> Iterator[tuple[str, int, FlowField]]:
    """Captured fields of a layer and step; with no step asked for, those the loss trains, if any."""
    flows = result.flows[sample]
    if layer is not None and layer not in flows.layers:
        raise LeffaError(f"layer must be one of {', '.join(flows.layers)}, got {layer!r}")
    if timestep is not None and timestep not in flows.timesteps:
        known = ", ".join(str(step) for step in flows.timesteps)
        raise LeffaError(f"timestep must be one of {known}, got {timestep}")
    trained = [step for step in flows.timesteps if step < MAX_TIMESTEP]
    steps = [timestep] if timestep is not None else trained or flows.timesteps
    for (name, step), field in flows.fields.items():
        if step in steps and layer in (None, name):
            yield name, step, field


def _at(field: FlowField, framed: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
    """Flow, spread and mass of a field (h, w) at a place of the frame in [-1, 1]."""
    maps = torch.cat([field.flow, field.spread[..., None], field.mass[..., None]], dim=-1)
    point = torch.from_numpy(framed).reshape(1, 1, 1, 2)
    flow_x, flow_y, spread, mass = warp(maps.permute(2, 0, 1)[None], point).flatten().tolist()
    return np.array([flow_x, flow_y], np.float32), spread, mass


def _to_frame(region: Region, x: float, y: float) -> NDArray[np.float32]:
    """A place of the photo in pixels, as (x, y) in [-1, 1] of the model's frame."""
    inner = np.array([x - region.box[0], y - region.box[1]], np.float32)
    height, width = region.letterbox.frame
    framed = region.letterbox.points_to_frame(inner) / np.array([width, height], np.float32) * 2 - 1
    return framed.astype(np.float32)


def _frame_share(region: Region) -> float:
    """Half the frame's width in shares of the photo's width: what a spread of 1 spans on the photo."""
    framing = region.letterbox
    box_width = region.box[2] - region.box[0]
    return 0.5 * framing.frame[1] / framing.width * box_width / region.photo[1]


def _peaks(heat: NDArray[np.float32], most: int) -> list[Place]:
    """Patches of a map above half its maximum, heaviest first, with their weighted middles."""
    height, width = heat.shape
    count, labels = cv2.connectedComponents((heat > 0.5 * heat.max()).astype(np.uint8))
    total = float(heat.sum())
    rows, columns = np.mgrid[:height, :width] + 0.5
    places = []
    for number in range(1, count):
        weights = np.where(labels == number, heat, 0)
        own = float(weights.sum())
        x, y = float((weights * columns).sum()) / own / width, float((weights * rows).sum()) / own / height
        places.append(Place(x, y, own / total))
    return sorted(places, key=lambda place: -place.weight)[:most]


def _pixel(x: float, y: float, size: tuple[int, int]) -> tuple[int, int]:
    return min(int(y * size[0]), size[0] - 1), min(int(x * size[1]), size[1] - 1)


def _check(result: Result, x: float, y: float, sample: int) -> None:
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise LeffaError(f"a place must lie in [0, 1], got ({x}, {y})")
    if not 0 <= sample < len(result.images):
        raise LeffaError(f"sample must be 0 to {len(result.images) - 1}, got {sample}")
