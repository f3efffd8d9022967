"""What a run is asked for. Light: it may be read before torch is there."""

import secrets
from dataclasses import dataclass, replace

from leffa.config import DensePoseEncoding
from leffa.errors import LeffaError
from leffa.run.pace import Pace, Recipe, recipe
from leffa.weights.models import Model

MOST_SAMPLES = 4
MOST_STEPS = 200
MOST_GUIDANCE = 20


@dataclass(frozen=True)
class Settings:
    """How to paint; None means the model's own default.

    size             (height, width) to paint at, one of the model's ``sizes``
    pace             fast, balanced or quality: see ``leffa.run.pace``; None = quality, the exact way
    steps            sampling steps, 1 to 200; those of the pace, else the model's
    guidance_scale   how strongly the reference is followed, 0 to 20; 1 or less switches guidance off
    guidance_rescale  see ``LeffaPipeline``; 0 to 20
    seed             -1 draws one; the result reports it. Sample i of a run uses seed + i
    samples          1 to 4 pictures at once
    reuse_reference  read the reference once instead of in every step
    compose          keep what is real of the photo and lay the garment by its refined flow (see
                     ``leffa.composition``); False shows what the model itself painted
    encoding         pose transfer: how the body parts are told, ``DensePoseEncoding.POSE_DEMO`` (as the
                     released demo) or ``POSE_TRAINING`` (as in training); None = as the weights were saved
    """

    steps: int | None = None
    guidance_scale: float | None = None
    guidance_rescale: float | None = None
    seed: int = -1
    samples: int = 1
    reuse_reference: bool = False
    compose: bool | None = None
    encoding: DensePoseEncoding | None = None
    pace: Pace | None = None
    size: tuple[int, int] | None = None

    def resolved(self, model: Model) -> "ResolvedSettings":
        """With every default filled in and the seed drawn. Raises LeffaError for what no model can do."""
        pace = _pace(self.pace)
        chosen = recipe(pace, model.steps)
        usual = chosen.steps or model.steps
        steps = _whole("steps", usual if self.steps is None else self.steps, 1, MOST_STEPS)
        scale = _number(
            "guidance", model.guidance_scale if self.guidance_scale is None else self.guidance_scale
        )
        rescale = model.guidance_rescale if self.guidance_rescale is None else self.guidance_rescale
        rescale = _number("guidance rescale", scale if rescale is None else rescale)
        samples = _whole("samples", self.samples, 1, MOST_SAMPLES)
        seed = _whole("seed", self.seed, -1, 2**32 - 1)
        return ResolvedSettings(
            steps=steps,
            guidance_scale=scale,
            guidance_rescale=rescale,
            seed=secrets.randbelow(2**31) if seed == -1 else seed,
            samples=samples,
            reuse_reference=self.reuse_reference or chosen.reuse_reference,
            compose=model.compose if self.compose is None else self.compose,
            encoding=None if self.encoding is None else DensePoseEncoding(self.encoding),
            pace=pace,
            size=_size(self.size, model),
        )


def quickest(model: Model) -> Settings:
    """For a machine without a graphics card: the smallest picture, in the fewest steps."""
    return Settings(size=min(model.sizes), pace=Pace.FAST)


def as_options(settings: Settings) -> str:
    """Size and pace as the command line takes them."""
    size = settings.size and f"--size {settings.size[0]}x{settings.size[1]}"
    return " ".join(filter(None, (size, settings.pace and f"--pace {settings.pace.value}")))


def _pace(value: object) -> Pace:
    try:
        return Pace.QUALITY if value is None else Pace(value)
    except ValueError:
        known = ", ".join(pace.value for pace in Pace)
        raise LeffaError(f"pace must be one of {known}, got {_shortly(value)}") from None


def _size(value: object, model: Model) -> tuple[int, int]:
    if value is None:
        return model.size
    known = {tuple(size): size for size in model.sizes}
    try:
        return known[tuple(value)]  # type: ignore[arg-type]  # a record has a list
    except (TypeError, KeyError):
        told = " or ".join(f"{height}x{width}" for height, width in model.sizes)
        raise LeffaError(f"{model.name} paints at {told}, not at {_shortly(value)}") from None


def _whole(name: str, value: object, low: int, high: int) -> int:
    sound = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not sound or value != int(value):  # type: ignore[call-overload]
        drawn = " (-1 draws one)" if name == "seed" else ""
        raise LeffaError(f"{name} must be {low} to {high}{drawn}, a whole number, got {_shortly(value)}")
    return int(value)  # type: ignore[call-overload]


def _number(name: str, value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= MOST_GUIDANCE:
        raise LeffaError(f"{name} must be 0 to {MOST_GUIDANCE}, got {_shortly(value)}")
    return float(value)


def _shortly(value: object) -> str:
    return repr(value)[:60]


@dataclass(frozen=True)
class ResolvedSettings:
    """``Settings`` as they were used: nothing is left open, and the same again gives the same picture."""

    steps: int
    guidance_scale: float
    guidance_rescale: float
    seed: int
    samples: int
    reuse_reference: bool
    compose: bool
    size: tuple[int, int]
    encoding: DensePoseEncoding | None = None
    pace: Pace = Pace.QUALITY

    def recipe(self, model: Model) -> Recipe:
        """What the pace does to a run of this model."""
        return recipe(self.pace, model.steps)

    def again(self) -> Settings:
        """The settings that repeat the run."""
        return replace(Settings(), **self.__dict__)
