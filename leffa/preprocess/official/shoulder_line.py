"""The line through both shoulders, to the last bit as the released DressCode mask has it.

That mask solves a least-squares problem for the line and rounds the result down to pixel rows. With level
shoulders, which are common, the line falls on a row exactly, so the last bit of the solution decides about
whole rows of the mask, and numpy's solver rounds differently on different processors. Here the steps of the
solver (LAPACK's dgelsd) are taken for this one small system in the order and rounding of an x86 processor
with AVX2, where the reference masks were made, so that a mask is the same everywhere.
"""

import math
from fractions import Fraction

import numpy as np


def line_through(first: tuple[float, float], second: tuple[float, float]) -> tuple[float, float]:
    """Slope m and height c of ``y = m x + c`` through two points (x, y).

    Points above each other have the solution of the smallest norm, as in the released code.
    """
    (x1, y1), (x2, y2) = first, second
    if min(x1, x2) <= 2 or x1 == x2:  # no system that the steps below are meant for
        system = np.array([[x1, 1.0], [x2, 1.0]])
        slope, height = np.linalg.lstsq(system, np.array([y1, y2]), rcond=None)[0]
        return float(slope), float(height)

    # 1. A Householder reflection clears the second x: [[x1, 1], [x2, 1]] -> [[d1, e], [0, d2]]
    small, large = sorted((x1, x2))
    d1 = -large * math.sqrt(1 + (small / large) ** 2)
    strength = (d1 - x1) / d1
    reflector = x2 * (1 / (x1 - d1))

    def reflect(upper: float, lower: float) -> tuple[float, float]:
        move = -strength * (upper + lower * reflector)
        return upper + move, lower + move * reflector

    e, d2 = reflect(1.0, 1.0)
    right1, right2 = reflect(y1, y2)

    # 2. Singular values and vectors of the triangle, scaled by its largest entry
    unscale = 1 / abs(d1)
    largest, smallest, right_vectors, (cosine, sine) = _decompose(d1 * unscale, e * unscale, d2 * unscale)

    # 3. Rotate, divide by the singular values, rotate back
    turned1 = _fused(cosine, right1, sine * right2) * (1 / largest)
    turned2 = _fused(cosine, right2, -(sine * right1)) * (1 / smallest)
    slope, height = (
        _fused(along1, turned1, along2 * turned2) * unscale
        for along1, along2 in zip(*right_vectors, strict=True)
    )
    return slope, height


def _decompose(
    f: float, g: float, h: float
) -> tuple[float, float, tuple[tuple[float, float], tuple[float, float]], tuple[float, float]]:
    """Singular values of [[f, g], [0, h]] with |f| largest, right vectors (rows), left rotation (dlasv2).

    The two values come out positive, with the signs moved into the right vectors.
    """
    gap = (abs(f) - abs(h)) / abs(f)
    ratio = g / f
    rest = 2 - gap
    s = math.sqrt(rest * rest + ratio * ratio)
    r = math.sqrt(gap * gap + ratio * ratio)
    a = 0.5 * (s + r)
    tangent = (ratio / (s + rest) + ratio / (r + gap)) * (1 + a)
    length = math.sqrt(tangent * tangent + 4)
    cos_right, sin_right = 2 / length, tangent / length
    cos_left = (cos_right + sin_right * ratio) / a
    sin_left = (h / f) * sin_right / a

    sign_large = math.copysign(1, cos_right) * math.copysign(1, cos_left) * math.copysign(1, f)
    sign_small = sign_large * math.copysign(1, f) * math.copysign(1, h)
    right = (
        (sign_large * cos_right, sign_large * sin_right),
        (-sign_small * sin_right, sign_small * cos_right),
    )
    return abs(f) * a, abs(h) / a, right, (cos_left, sin_left)


def _fused(a: float, b: float, c: float) -> float:
    """a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))
