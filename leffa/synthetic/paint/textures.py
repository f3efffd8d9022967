"""Noise tiles, placed prints and all-over pictures: what fabrics read besides their own numbers."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


class NoiseBank:
    """Periodic noise tiles of unit variance: fine grain, strands, from ``SMOOTH`` on ever cloudier ones."""

    COUNT = 8
    SIZE = 128
    GRAIN, STRANDS, SMOOTH = 0, 1, 2
    ROUGHNESS = (0.3, 1.4, 2.2, 2.5, 2.8, 3.1, 3.4, 3.7)

    def __init__(self, device: torch.device | str = "cpu") -> None:
        generator = torch.Generator().manual_seed(20)
        tiles = [periodic_noise(generator, self.SIZE, roughness) for roughness in self.ROUGHNESS]
        self._flat = torch.stack(tiles).reshape(-1).to(device)

    def at(self, tile: Tensor, place: Tensor) -> Tensor:
        """Bilinear value (n,) of tile (n,) at place (n, 2), one tile a unit."""
        size = self.SIZE
        x, y = torch.remainder(place, 1).mul(size).unbind(1)
        x0, y0 = x.long().clamp(max=size - 1), y.long().clamp(max=size - 1)
        fx, fy = x - x0, y - y0
        x1, y1 = (x0 + 1) % size, (y0 + 1) % size
        base = tile * (size * size)
        top = torch.lerp(self._flat[base + y0 * size + x0], self._flat[base + y0 * size + x1], fx)
        low = torch.lerp(self._flat[base + y1 * size + x0], self._flat[base + y1 * size + x1], fx)
        return torch.lerp(top, low, fy)


def periodic_noise(generator: torch.Generator, size: int, roughness: float) -> Tensor:
    """(size, size) periodic noise with a power spectrum falling by ``roughness``, unit variance."""
    row = torch.fft.fftfreq(size)[:, None]
    column = torch.fft.rfftfreq(size)[None]
    strength = (row**2 + column**2).clamp(min=1e-9) ** (-roughness / 4)
    strength[0, 0] = 0
    shape = (size, size // 2 + 1)
    spectrum = torch.complex(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator))
    noise = torch.fft.irfft2(spectrum * strength, s=(size, size))
    return (noise - noise.mean()) / noise.std()


class Pyramid:
    """Square pictures (k, size, size, channels), uint8, with halved copies, read by index.

    ``mirrored`` continues a picture by its mirror image on all sides; otherwise it ends at its edge.
    """

    def __init__(
        self, pictures: np.ndarray, device: torch.device | str = "cpu", mirrored: bool = False
    ) -> None:
        self._levels: list[Tensor] = []
        self._sizes: list[int] = []
        self._mirrored = mirrored
        level = torch.as_tensor(pictures)
        while True:
            self._levels.append(level.reshape(-1, level.shape[-1]).to(device))
            self._sizes.append(level.shape[1])
            if level.shape[1] <= 4:
                break
            even, odd = level[:, ::2].short(), level[:, 1::2].short()
            total = even[:, :, ::2] + even[:, :, 1::2] + odd[:, :, ::2] + odd[:, :, 1::2]
            level = ((total + 2) // 4).to(torch.uint8)

    def __len__(self) -> int:
        return len(self._levels[0]) // self._sizes[0] ** 2

    def at(self, index: Tensor, place: Tensor, footprint: Tensor) -> Tensor:
        """(n, channels) in [0, 1]: picture (n,) at place (n, 2) over a footprint (n,), both in pictures."""
        result = torch.zeros(len(index), self._levels[0].shape[1], device=place.device)
        texels = (footprint * self._sizes[0]).clamp(min=1)
        level = torch.log2(texels).round().long().clamp(max=len(self._levels) - 1)
        for number in torch.unique(level).tolist():
            chosen = torch.nonzero(level == number)[:, 0]
            result[chosen] = self._bilinear(number, index[chosen], place[chosen])
        return result

    def _bilinear(self, level: int, index: Tensor, place: Tensor) -> Tensor:
        size, flat = self._sizes[level], self._levels[level]
        x, y = (place * size - 0.5).unbind(1)
        x0, y0 = torch.floor(x), torch.floor(y)
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]

        def wrap(value: Tensor) -> Tensor:
            whole = value.long()
            if not self._mirrored:
                return whole.clamp(0, size - 1)
            whole = whole % (2 * size)
            return torch.where(whole < size, whole, 2 * size - 1 - whole)

        left, right = wrap(x0), wrap(x0 + 1)
        base = index * (size * size)
        rows = []
        for row in (wrap(y0), wrap(y0 + 1)):
            start = base + row * size
            rows.append(torch.lerp(flat[start + left].float(), flat[start + right].float(), fx))
        return torch.lerp(rows[0], rows[1], fy) / 255


WORDS = (
    "NORTH", "BLUE", "RIVER", "CITY", "84", "ATLAS", "WAVE", "LUNA", "MONO", "PEAK", "STUDIO", "1992",
    "URBAN", "FOX", "ORBIT", "SUN", "DENIM", "FIELD", "Hello", "good day", "summer", "17", "NOVA", "tide",
    "club", "ROAM", "echo", "PIXEL", "MAPLE", "23", "coast", "VIVID", "Ocean", "PARK", "LAB", "bloom",
    "23:59", "LOUD",
)  # fmt: skip


def draw_print(rng: np.random.Generator) -> np.ndarray:
    """A placed print (128, 128, 2) uint8: how much ink, and which of two inks (0 or 255)."""
    size = 128
    ink, second = (Image.new("L", (size, size), 0) for _ in range(2))
    drawers = (_draw_words, _draw_badge, _draw_shapes, _draw_scene, _draw_figure)
    drawer = drawers[int(rng.choice(len(drawers), p=[0.4, 0.15, 0.2, 0.1, 0.15]))]
    drawer(rng, ImageDraw.Draw(ink), ImageDraw.Draw(second), size)
    return np.stack([np.asarray(ink), np.asarray(second)], -1)


def _text(
    draw, rng: np.random.Generator, word: str, centre: tuple[float, float], height: float, wide: float
) -> None:
    font = ImageFont.load_default(max(height, 6))
    left, top, right, bottom = draw.textbbox((0, 0), word, font=font)
    if right - left > wide:
        font = ImageFont.load_default(max(height * wide / (right - left), 6))
        left, top, right, bottom = draw.textbbox((0, 0), word, font=font)
    x, y = centre[0] - (right + left) / 2, centre[1] - (bottom + top) / 2
    draw.text((x, y), word, 255, font=font, stroke_width=int(rng.integers(0, 3)))


def _draw_words(rng, ink, second, size: int) -> None:
    lines = int(rng.integers(1, 4))
    height = size * rng.uniform(0.16, 0.4) / lines**0.5
    for number in range(lines):
        word = str(rng.choice(WORDS))
        centre = (size / 2, size * (0.5 + (number - (lines - 1) / 2) * 0.9 / max(lines, 2)))
        _text(ink, rng, word, centre, height, size * 0.94)
        if number and rng.random() < 0.5:
            _text(second, rng, word, centre, height, size * 0.94)
    if rng.random() < 0.3:
        ink.line((size * 0.1, size * 0.93, size * 0.9, size * 0.93), 255, 3)


def _draw_badge(rng, ink, second, size: int) -> None:
    radius = size * rng.uniform(0.28, 0.46)
    box = [size / 2 - radius, size / 2 - radius, size / 2 + radius, size / 2 + radius]
    filled = rng.random() < 0.5
    shape = ink.ellipse if rng.random() < 0.6 else ink.rectangle
    shape(box, fill=255 if filled else None, outline=255, width=int(size * 0.05))
    word = str(rng.choice(WORDS))
    _text(ink, rng, word, (size / 2, size / 2), radius, radius * 1.6)
    _text(second, rng, word, (size / 2, size / 2), radius, radius * 1.6)


def _draw_shapes(rng, ink, second, size: int) -> None:
    for _ in range(int(rng.integers(3, 10))):
        x, y = rng.uniform(0.2, 0.8, 2) * size
        reach = rng.uniform(0.06, 0.28) * size
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
        points = [(x + reach * np.cos(a), y + reach * np.sin(a)) for a in angles]
        ink.polygon(points, fill=255)
        second.polygon(points, fill=255 if rng.random() < 0.5 else 0)


def _draw_scene(rng, ink, second, size: int) -> None:
    ink.rectangle([size * 0.06, size * 0.12, size * 0.94, size * 0.88], fill=255)
    second.rectangle([0, size * rng.uniform(0.5, 0.7), size, size], fill=255)
    x, y, r = size * rng.uniform(0.3, 0.7), size * rng.uniform(0.3, 0.5), size * rng.uniform(0.08, 0.18)
    second.ellipse([x - r, y - r, x + r, y + r], fill=255)
    for _ in range(int(rng.integers(1, 4))):
        peak = size * rng.uniform(0.1, 0.9)
        second.polygon([(peak, size * rng.uniform(0.25, 0.5)), (peak - size * 0.25, size * 0.7),
                        (peak + size * 0.25, size * 0.7)], fill=255)  # fmt: skip


def _draw_figure(rng, ink, second, size: int) -> None:
    """A rotationally symmetric emblem: flower, star or gear."""
    arms, depth, phase = int(rng.integers(3, 13)), rng.uniform(0.2, 0.7), rng.uniform(0, 6.3)
    for scale, draw in ((rng.uniform(0.32, 0.48), ink), (rng.uniform(0.1, 0.3), second)):
        angle = np.linspace(0, 2 * np.pi, 120)
        radius = size * scale * (1 - depth * 0.5 * (1 + np.cos(arms * angle + phase)))
        points = [
            (size / 2 + r * np.cos(a), size / 2 + r * np.sin(a)) for r, a in zip(radius, angle, strict=True)
        ]
        draw.polygon(points, fill=255)
