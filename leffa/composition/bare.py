"""Bare arms that are seen: skin is painted only where it is missing of their width, not beside them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leffa.composition.canvas import Working
from leffa.composition.scene import Scene
from leffa.composition.sleeves import Arm, parts_of_arm
from leffa.preprocess.offline.drawing import grown

ARMPIT = -0.2  # of half an upper arm from its middle, to the hand: above, a shoulder goes on beside it
LOOSE = 12.0  # px of the frame that an arm may lie beside where the part map has it
STRIPS = 12  # across half of an arm's part
FURTHEST = 4  # halves of a lower arm from its middle that a hand reaches
LEAST_SEEN = 1.5  # px of the frame across an arm: less tells nothing of where it ends
EDGE = 0.7  # px of the frame that an arm's outline may lie beside where it is read


def beside_bare_arms(scene: Scene, working: Working, seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W): what lies beside the arms, below the armpits, where it would make them wider than they are.

    An arm is as wide as the wider one of both at the same place, and goes on from what is seen of it.

    seen  (H, W), bare arms and hands
    """
    parts, zoom = scene.reading.parts[..., 0], working.zoom
    away = cv2.distanceTransform((~seen).astype(np.uint8), cv2.DIST_L2, 5) / zoom
    arms = []
    for side in ("LEFT", "RIGHT"):
        upper, lower, hand = (working.cut(np.isin(parts, own)) > 0.5 for own in parts_of_arm(side))
        told = Arm.of(upper, lower, zoom), Arm.of(lower, hand, zoom)
        if told[0] is not None and told[1] is not None:
            arms.append(
                (
                    _Strips.of(told[0], upper, ARMPIT, seen, zoom),
                    _Strips.of(told[1], lower | hand, -1.0, seen, zoom),
                )
            )
    found = np.zeros_like(seen)
    for both in zip(*arms, strict=True):
        widest = np.max([strips.widths for strips in both], axis=0)
        for strips in both:
            missing = np.where(strips.widths < LEAST_SEEN, np.inf, widest - strips.widths)
            found |= (away > missing[strips.number] + EDGE) & (strips.number >= 0)
    return found


@dataclass(frozen=True)
class _Strips:
    """Part of an arm in strips across it, as many on the right as on the left.

    number  (H, W), of the strip that a pixel is in; -1 elsewhere
    widths  (N,): how much of each is seen, px of the frame
    """

    number: NDArray[np.int_]
    widths: NDArray[np.float64]

    @classmethod
    def of(
        cls, arm: Arm, part: NDArray[np.bool_], first: float, seen: NDArray[np.bool_], zoom: float
    ) -> "_Strips":
        """Strips of what is near to a ``part`` of an arm, from ``first`` halves of it below its middle on."""
        rows, columns = np.nonzero(grown(part, LOOSE * zoom))
        x, y = columns - arm.middle[0], rows - arm.middle[1]
        down = (x * arm.along[0] + y * arm.along[1]) / arm.length
        number = np.full(seen.shape, -1)
        within = (down >= first) & (down < FURTHEST)
        number[rows, columns] = np.where(within, np.floor((down - first) * STRIPS), -1)
        count = np.bincount(number[seen & (number >= 0)], minlength=round((FURTHEST - first) * STRIPS) + 1)
        return cls(number, count / (zoom * arm.length / STRIPS))
