"""A garment that somebody wears on its picture: where it is, and where a place of another body lies on it."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree
from torch import Tensor

from leffa.composition.canvas import Maps, Working
from leffa.composition.edges import at_edges, share_of
from leffa.composition.reading import Reading
from leffa.config import Garment
from leffa.framing import Region
from leffa.model.flow import FlowField, coordinates, merge, warp
from leffa.preprocess.offline.body import HALF_SIZE
from leffa.preprocess.offline.drawing import without_tiny
from leffa.preprocess.offline.parsing import REPLACED

SMALL = 0.05  # of the largest piece: what is smaller is no part of a garment
SURE = 0.03  # spread of the flow between two places of one name, in units of half a side
FADE = 4.0  # spread won per half side away from the person's body, or from the nearest place of the wearer's
NEIGHBOURS = 4
SMOOTH = 2.0  # px of the frame


def worn_garment(photo: Image.Image, region: Region, reading: Reading, garment: Garment) -> NDArray[np.uint8]:
    """(H, W) uint8 at the photo's size, 255 = the garment of this kind by its reading, without a bag."""
    working = Working.of(region)
    share = share_of(photo, reading, working, REPLACED[garment])
    share = share * (1 - at_edges(photo, working, reading.held))
    kept = without_tiny(share > 0.5, SMALL)
    whole = working.whole(share * kept, (photo.height, photo.width))
    return np.where(whole > 0.5, 255, 0).astype(np.uint8)


def known_start(person: Tensor, wearer: Tensor, shown: Tensor) -> FlowField | None:
    """Flow from a person to the garment's wearer by what their bodies' places are called; None without one.

    person, wearer  (1, 3, h, w) body coordinates in [-1, 1] of both, each in its own frame
    shown           (1, 1, h, w) in {0, 1}: the garment, in the wearer's frame

    The field (h, w) has places in the wearer's frame. Beside the person's body the nearest place of it is
    carried on, ever less sure; its occupancy says where the garment is.
    """
    there, here = (body[0, 2].numpy() != 0 for body in (wearer, person))
    if not there.any() or not here.any():
        return None
    grid = coordinates(*there.shape).numpy()
    tree = cKDTree(_names(wearer)[there])
    far, near = tree.query(_names(person)[here], k=min(NEIGHBOURS, int(there.sum())))
    far, near = far.reshape(len(far), -1), near.reshape(len(near), -1)
    flow, unsure = np.zeros_like(grid), np.zeros(there.shape, np.float32)
    flow[here], unsure[here] = grid[there][near].mean(1), far[:, 0]
    flow, away = _carried_on(flow, here, grid)
    flow = cv2.GaussianBlur(flow, (0, 0), SMOOTH).clip(-1, 1)
    places = torch.from_numpy(flow)
    spread = torch.from_numpy(SURE + FADE * (unsure / float(HALF_SIZE[1]) + away)).float()
    return FlowField(places, spread, torch.ones_like(spread), warp(shown, places[None])[0, 0])


def joined(attention: FlowField, start: FlowField) -> FlowField:
    """Both fields in one, (h, w) as the attention's, each as far as it is sure."""
    rows, columns = attention.spread.shape
    fields = [field.map(lambda values: values[None].float()) for field in (attention, start)]
    return merge(fields, (rows, columns))[0]


def _names(body: Tensor) -> Maps:
    """(h, w, 2): what places of a body are called, in shoulder widths."""
    return np.asarray(body[0, :2].movedim(0, -1).numpy() * HALF_SIZE, np.float32)


def _carried_on(flow: Maps, known: NDArray[np.bool_], grid: Maps) -> tuple[Maps, Maps]:
    """A flow known in places, everywhere as the nearest of them and the steps between; how far that is."""
    stretch = flow[known].std(0) / np.maximum(grid[known].std(0), 1e-3)
    _, labels = cv2.distanceTransformWithLabels(
        1 - known.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.zeros((labels.max() + 1, 2, 2), np.float32)
    places[labels[known]] = np.stack([grid[known], flow[known]], 1)
    step = grid - places[labels][..., 0, :]
    return places[labels][..., 1, :] + step * stretch.astype(np.float32), np.linalg.norm(step, axis=-1)
