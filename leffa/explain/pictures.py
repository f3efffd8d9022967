"""Pictures of a flow: colour wheel, arrows, heat maps, and the reference warped by it.

Everything takes and gives (H, W, 3) uint8 RGB or PIL pictures; flows are ``FlowField``s at picture size.
"""

import colorsys

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from leffa.model.flow import FlowField, warp

Picture = NDArray[np.uint8]
ARROWS = 60  # about


def place_colours(flow: NDArray[np.float32]) -> Picture:
    """Colour of each place on the reference: hue = direction from its middle, saturation = distance.

    ``flow`` (H, W, 2) absolute in [-1, 1]. The same colours on reference and result mark the same cloth.
    """
    x, y = flow[..., 0], flow[..., 1]
    hue = (np.arctan2(-y, x) / (2 * np.pi)) % 1
    saturation = np.clip(np.hypot(x, y), 0, 1)
    hsv = np.stack([hue * 179, 40 + 215 * saturation, np.full_like(hue, 240)], -1).astype(np.uint8)
    colours: Picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return colours


def colour_wheel(size: tuple[int, int]) -> Picture:
    """The legend: the colour of every place of a reference of (height, width)."""
    height, width = size
    x = (2 * np.arange(width, dtype=np.float32) + 1) / width - 1
    y = (2 * np.arange(height, dtype=np.float32) + 1) / height - 1
    return place_colours(np.stack(np.meshgrid(x, y), -1))


def legend(reference: Image.Image) -> Image.Image:
    """The reference with the colours of its places laid over it: what the overlay's colours mean."""
    grey = reference.convert("L").convert("RGB")
    return Image.blend(grey, Image.fromarray(colour_wheel((reference.height, reference.width))), 0.6)


def overlay(picture: Image.Image, field: FlowField, weight: NDArray[np.float32]) -> Image.Image:
    """The result in grey with the flow's colours over it.

    weight  (H, W) in [0, 1]: where to show the flow, such as the mask times the confidence
    """
    grey = np.asarray(picture.convert("L").convert("RGB"), np.float32)
    colours = place_colours(field.flow.numpy()).astype(np.float32)
    # keep the shading of the picture: colours are laid over it like a glaze
    glaze = colours * (0.35 + 0.65 * grey / 255)
    alpha = 0.75 * weight[..., None]
    return Image.fromarray((grey * (1 - alpha) + glaze * alpha).round().astype(np.uint8))


def warped_reference(reference: NDArray[np.uint8], field: FlowField) -> Picture:
    """The reference (any size) seen through the flow, (H, W, 3) at the flow's size."""
    tensor = torch.from_numpy(np.array(reference)).permute(2, 0, 1)[None].float()
    seen = warp(tensor, field.flow[None])[0].permute(1, 2, 0)
    return seen.round().clamp(0, 255).byte().numpy()


def painted_area(picture: Image.Image, content: Picture, weight: NDArray[np.float32]) -> Image.Image:
    """``content`` laid into the faded picture where ``weight`` (H, W) in [0, 1] says so."""
    base = 255 - (255 - np.asarray(picture.convert("RGB"), np.float32)) * 0.35
    alpha = weight[..., None]
    return Image.fromarray((base * (1 - alpha) + content * alpha).round().astype(np.uint8))


def heat(values: NDArray[np.float32], low: float, high: float) -> Picture:
    """Scalars (H, W) as colours from dark blue (low) to yellow (high)."""
    scaled = np.clip((values - low) / (high - low), 0, 1)
    coloured = cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    rgb: Picture = cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB)
    return rgb


def arrows(
    picture: Image.Image, reference: Image.Image, field: FlowField, weight: NDArray[np.float32]
) -> Image.Image:
    """Result and reference side by side, with lines from places of the result to where they look.

    Places lie on a regular grid inside ``weight`` > 0.5; each line has its own colour.
    """
    height, width = field.flow.shape[:2]
    side = reference.convert("RGB").resize((round(reference.width * height / reference.height), height))
    gap = max(4, width // 40)
    sheet = Image.new("RGB", (width + gap + side.width, height), "white")
    sheet.paste(picture.convert("RGB"), (0, 0))
    sheet.paste(side, (width + gap, 0))
    canvas = np.array(sheet)
    inside = weight > 0.5
    step = max(1, int((inside.sum() / ARROWS) ** 0.5))
    places = [
        (r, c) for r in range(step // 2, height, step) for c in range(step // 2, width, step) if inside[r, c]
    ]
    flow = field.flow.numpy()
    thickness = max(1, round(height / 500))
    for number, (row, column) in enumerate(places):
        red, green, blue = colorsys.hsv_to_rgb(number / max(len(places), 1), 0.85, 0.9)
        colour = (int(255 * red), int(255 * green), int(255 * blue))
        x, y = flow[row, column]
        end = (width + gap + int((x + 1) / 2 * side.width), int((y + 1) / 2 * height))
        cv2.line(canvas, (column, row), end, colour, thickness, cv2.LINE_AA)
        for point in ((column, row), end):
            cv2.circle(canvas, point, 2 * thickness + 1, colour, cv2.FILLED, cv2.LINE_AA)
    return Image.fromarray(canvas)
