"""Poses as joint angles in degrees, and the rotations they mean for the skeleton.

Angles are absolute, not relative to the rest pose: an arm of zeros hangs straight down, a leg of zeros
stands straight. Left and right are the person's own.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from leffa.synthetic.body.baked import Body, Rotations, rotation

X_AXIS, Y_AXIS, Z_AXIS = np.eye(3)
SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")


@dataclass(frozen=True)
class Arm:
    """One arm.

    abduct   sideways lift of the upper arm, 90 = horizontal
    forward  swing of the upper arm to the front, negative = to the back
    elbow    0 = straight
    inward   where the forearm bends to: 0 = forward (up, if the arm points forward), 90 = to the midline
    pronate  turn of the hand about the forearm
    wrist    bend of the wrist towards the palm
    curl     bend of each finger joint
    """

    abduct: float = 12
    forward: float = 0
    elbow: float = 15
    inward: float = 20
    pronate: float = 0
    wrist: float = 0
    curl: float = 18


@dataclass(frozen=True)
class Leg:
    """One leg: hip flexion to the front, spread to the side, turn-out, knee bend, heel lift."""

    flex: float = 0
    spread: float = 5
    turn: float = 5
    knee: float = 3
    heel: float = 0


@dataclass(frozen=True)
class Pose:
    """A whole pose. ``turn`` angles turn to the person's left, ``lean`` and ``tilt`` bend to the left."""

    name: str = "standing"
    left_arm: Arm = Arm()
    right_arm: Arm = Arm()
    left_leg: Leg = Leg()
    right_leg: Leg = Leg()
    yaw: float = 0
    pelvis: float = 0
    bend: float = 0
    lean: float = 0
    twist: float = 0
    head_turn: float = 0
    head_nod: float = 0
    head_tilt: float = 0

    def mirrored(self) -> "Pose":
        """The same pose with left and right exchanged."""
        signed = ("yaw", "pelvis", "lean", "twist", "head_turn", "head_tilt")
        return replace(
            self,
            left_arm=self.right_arm, right_arm=self.left_arm,
            left_leg=self.right_leg, right_leg=self.left_leg,
            **{name: -getattr(self, name) for name in signed},
        )  # fmt: skip

    def jittered(self, rng: np.random.Generator, amount: float = 1.0) -> "Pose":
        """A neighbour of this pose: every angle moved by a few degrees, arms the most."""

        def moved(limb: Arm | Leg, sigma: float) -> dict[str, float]:
            changes = {}
            for item in fields(limb):
                scale = 0.5 if item.name in ("wrist", "knee", "heel", "turn", "spread") else 1.0
                changes[item.name] = getattr(limb, item.name) + amount * sigma * scale * rng.normal()
            return changes

        def arm(limb: Arm) -> Arm:
            changes = moved(limb, 5)
            changes["abduct"] = max(changes["abduct"], min(limb.abduct, 7.0))
            changes["elbow"] = float(np.clip(changes["elbow"], 2, 148))
            changes["curl"] = float(np.clip(changes["curl"], 2, 70))
            return Arm(**changes)

        def leg(limb: Leg) -> Leg:
            changes = moved(limb, 3)
            return Leg(**changes | {"knee": max(changes["knee"], 0.0), "heel": max(changes["heel"], 0.0),
                                    "spread": max(changes["spread"], -4.0)})  # fmt: skip

        spine = {
            name: getattr(self, name) + amount * sigma * rng.normal()
            for name, sigma in (("bend", 2), ("lean", 2), ("twist", 3), ("yaw", 9), ("pelvis", 1.5),
                                ("head_turn", 9), ("head_nod", 5), ("head_tilt", 4))
        }  # fmt: skip
        return replace(
            self,
            left_arm=arm(self.left_arm), right_arm=arm(self.right_arm),
            left_leg=leg(self.left_leg), right_leg=leg(self.right_leg), **spine,
        )  # fmt: skip


def rotations(pose: Pose, body: Body, heads: np.ndarray) -> Rotations:
    """Rotation of every moved bone about the rest frame's axes, for a body with these bone heads."""
    result: Rotations = {
        "root": rotation(Y_AXIS, pose.yaw) @ rotation(Z_AXIS, -pose.pelvis),
    }
    for bone in SPINE:
        result[bone] = (
            rotation(Y_AXIS, pose.twist / 5)
            @ rotation(Z_AXIS, (pose.pelvis - pose.lean) / 5)
            @ rotation(X_AXIS, pose.bend / 5)
        )
    for bone, share in (("neck01", 0.3), ("neck02", 0.2), ("head", 0.5)):
        result[bone] = (
            rotation(Y_AXIS, share * pose.head_turn)
            @ rotation(Z_AXIS, -share * pose.head_tilt)
            @ rotation(X_AXIS, share * pose.head_nod)
        )
    for side, arm, leg in (("L", pose.left_arm, pose.left_leg), ("R", pose.right_arm, pose.right_leg)):
        sign = 1 if side == "L" else -1
        result |= _arm_rotations(arm, side, sign, body, heads)
        result |= _leg_rotations(leg, side, sign, pose.pelvis, body, heads)
    return result


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _between(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation that takes one unit vector to another."""
    axis = np.cross(start, end)
    angle = np.degrees(np.arctan2(np.linalg.norm(axis), start @ end))
    return rotation(axis, angle) if np.linalg.norm(axis) > 1e-8 else np.eye(3)


def _arm_rotations(arm: Arm, side: str, sign: int, body: Body, heads: np.ndarray) -> Rotations:
    def at(bone: str) -> np.ndarray:
        return heads[body.bones[f"{bone}.{side}"]].astype(np.float64)

    upper_rest = _unit(at("lowerarm01") - at("upperarm01"))
    lower_rest = _unit(at("wrist") - at("lowerarm01"))
    hinge_rest = _unit(np.cross(upper_rest, lower_rest))
    rest_flex = np.degrees(np.arccos(np.clip(upper_rest @ lower_rest, -1, 1)))

    # A quarter of what lifts the arm above 50 degrees is done by the collar bone.
    raised = max(arm.abduct - 50, 0) * 0.25
    result = {f"clavicle.{side}": rotation(Z_AXIS, sign * raised)}
    swing = rotation(X_AXIS, -arm.forward)
    lift = np.deg2rad(arm.abduct - raised)
    upper = swing @ np.array([sign * np.sin(lift), -np.cos(lift), 0])
    ahead = swing @ Z_AXIS
    inward = np.deg2rad(arm.inward)
    bend_to = np.cos(inward) * ahead + np.sin(inward) * sign * np.cross(upper, ahead)
    hinge = _unit(np.cross(upper, bend_to))

    # Swing first, then turn about the arm so that the elbow's hinge points as asked; half of that turn on
    # each of the two upper-arm bones, because all of it at the shoulder would wring the skin.
    minimal = _between(upper_rest, upper)
    carried = minimal @ hinge_rest
    turn = np.degrees(np.arctan2(np.cross(carried, hinge) @ upper, carried @ hinge))
    result[f"upperarm01.{side}"] = minimal @ rotation(upper_rest, turn / 2)
    result[f"upperarm02.{side}"] = rotation(upper_rest, turn / 2)
    result[f"lowerarm01.{side}"] = rotation(hinge_rest, arm.elbow - rest_flex)
    pronation = rotation(lower_rest, sign * arm.pronate / 2)
    result[f"lowerarm02.{side}"] = pronation

    across = _unit(at("finger5-1") - at("finger2-1"))
    palm_axis = -sign * across
    result[f"wrist.{side}"] = pronation @ rotation(palm_axis, arm.wrist)
    for finger in (2, 3, 4, 5):
        for joint in (1, 2, 3):
            share = (0.7, 1.0, 0.8)[joint - 1] * (1 + 0.12 * (finger - 2))
            result[f"finger{finger}-{joint}.{side}"] = rotation(palm_axis, share * (arm.curl - 8))
    return result


def _leg_rotations(leg: Leg, side: str, sign: int, pelvis: float, body: Body, heads: np.ndarray) -> Rotations:
    hip = heads[body.bones[f"upperleg01.{side}"]].astype(np.float64)
    knee = heads[body.bones[f"lowerleg01.{side}"]].astype(np.float64)
    rest = _unit(knee - hip)
    # A tilted pelvis must not tilt the legs with it: measured from the vertical, not from the pelvis.
    spread = np.deg2rad(leg.spread + sign * pelvis)
    swing = rotation(X_AXIS, -leg.flex)
    target = swing @ np.array([sign * np.sin(spread), -np.cos(spread), 0])
    return {
        f"upperleg01.{side}": swing
        @ _between(rest, swing.T @ target)
        @ rotation(rest, -sign * 0.5 * leg.turn),
        f"upperleg02.{side}": rotation(rest, -sign * 0.5 * leg.turn),
        f"lowerleg01.{side}": rotation(X_AXIS, leg.knee),
        f"foot.{side}": rotation(X_AXIS, leg.flex - leg.knee + leg.heel),
    }
