"""The reference's fine structure, laid over what a model has painted."""

import cv2
import numpy as np
import torch
from PIL import Image

from leffa.images import Letterbox, to_pil, to_tensor
from leffa.model.confidence import confidence, worn
from leffa.model.flow import FlowField, warp

FINEST = 6.0  # px of the model's frame: what is finer it cannot paint through its VAE
AGREEING = 0.2  # mean colour difference, of 2, up to which a warp surely fits what was painted


def detailed(painted: Image.Image, reference: Image.Image, field: FlowField, frame: Letterbox) -> Image.Image:
    """The painted box with the reference's structure where it is finer than the model can paint.

    The picture keeps its colours and its light; what varies faster than over ``FINEST`` of the model's pixels
    is taken from the warped reference, where the flow is sure, where it falls on the garment, and where its
    colour agrees with what was painted.

    painted    box-sized, as enlarged from the model's frame
    field      box-sized, with places on ``reference`` and an occupancy
    """
    if field.occupancy is None:
        return painted
    warped = warp(to_tensor(reference)[None], field.flow[None])[0].permute(1, 2, 0).numpy()
    base = to_tensor(painted).permute(1, 2, 0).numpy()
    blur = FINEST / 2 * painted.height / frame.height
    coarse_warped, coarse_base = (cv2.GaussianBlur(x, (0, 0), blur) for x in (warped, base))
    agreement = np.clip(1.5 - np.abs(coarse_warped - coarse_base).mean(-1) / AGREEING, 0, 1)
    weight = confidence(field) * worn(field.occupancy) * agreement
    weight = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), max(1.0, painted.height / frame.height))
    result = base + weight[..., None] * ((warped - coarse_warped) - (base - coarse_base))
    return to_pil(torch.from_numpy(result).permute(2, 0, 1))
