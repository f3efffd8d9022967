"""How far a run's flow can be trusted: one number for a picture, and the parts where it scatters."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leffa.explain import pictures
from leffa.explain.views import shown_flow
from leffa.model.confidence import confidence
from leffa.preprocess.labels import Part, parts_named
from leffa.run.result import Result

WORST_ERROR = 0.35  # mean colour difference, of the full range, that scores nothing
SCATTERED = 0.4  # confidence below which attention counts as scattered
LEAST_SHARE = 0.3  # of a part's area: less scatter is not worth a word
LEAST_AREA = 0.01  # of the painted area: smaller parts are not worth a word

BODY: dict[str, tuple[Part, ...]] = {
    "torso": parts_named("TORSO"),
    **{f"{side}_{limb}": parts_named(side.upper(), limb.upper())
       for limb in ("arm", "leg") for side in ("left", "right")},
}  # fmt: skip
"""Parts of the body that clothes are named after. Left and right are the person's own."""


def flow_score(result: Result, sample: int = 0) -> float:
    """Agreement of a picture with the reference that its flow carries into it, in [0, 1].

    One minus the mean colour difference (of ``WORST_ERROR``), over the painted places where the flow means
    something: a picture whose attention looked at what it then painted scores high. 0 where no place does.
    """
    weight = shown_flow(result, sample)
    if weight.sum() < 1:
        return 0.0
    warped = pictures.warped_reference(np.asarray(result.reference), result.fields[sample])
    difference = (
        np.abs(warped.astype(np.float32) - np.asarray(result.images[sample], np.float32)).mean(-1) / 255
    )
    error = float((difference * weight).sum() / weight.sum())
    return float(np.clip(1 - error / WORST_ERROR, 0, 1))


def rank(result: Result) -> list[tuple[int, float]]:
    """Samples and their scores, best first."""
    scores = [flow_score(result, sample) for sample in range(len(result.images))]
    return sorted(enumerate(scores), key=lambda scored: -scored[1])


@dataclass(frozen=True)
class Scatter:
    """A part of the body over which the attention is scattered.

    part   a name of ``BODY``
    share  of its painted area, in [0, 1]
    """

    part: str
    share: float


def scattered(result: Result, parts: NDArray[np.uint8], sample: int = 0) -> list[Scatter]:
    """Parts over whose painted area attention is scattered, worst first.

    parts  (H, W) uint8 of ``Part`` at the photo's size
    """
    painted = result.mask > 127
    loose = painted & (confidence(result.fields[sample]) < SCATTERED)
    found = []
    for name, numbers in BODY.items():
        area = painted & np.isin(parts, numbers)
        size = int(area.sum())
        if size < LEAST_AREA * painted.sum():
            continue
        share = float((loose & area).sum() / size)
        if share >= LEAST_SHARE:
            found.append(Scatter(name, share))
    return sorted(found, key=lambda scatter: -scatter.share)
