"""The pose library: our own poses as joint angles, from catalogue stances to sitting and back views."""

import numpy as np

from leffa.synthetic.body.poses import Arm, Leg, Pose

HANGING = Arm(abduct=11, forward=2, elbow=14, inward=25, pronate=10)
RELAXED = Arm(abduct=14, forward=-4, elbow=22, inward=35, pronate=15)
AWAY = Arm(abduct=30, forward=0, elbow=12, inward=15)
ON_HIP = Arm(abduct=44, forward=-22, elbow=96, inward=78, pronate=30, wrist=-20, curl=25)
IN_POCKET = Arm(abduct=20, forward=-18, elbow=46, inward=48, pronate=20, wrist=12, curl=30)
BEHIND = Arm(abduct=18, forward=-32, elbow=48, inward=110, pronate=0)
AT_HAIR = Arm(abduct=88, forward=42, elbow=134, inward=-22, pronate=-20, curl=35)
AT_CHIN = Arm(abduct=16, forward=42, elbow=132, inward=38, pronate=-30, curl=45)
ACROSS = Arm(abduct=16, forward=26, elbow=96, inward=82, pronate=20, curl=14)
FORWARD = Arm(abduct=14, forward=42, elbow=34, inward=20, pronate=30)
PHONE = Arm(abduct=18, forward=22, elbow=104, inward=42, pronate=-30, curl=40)
WAVE = Arm(abduct=72, forward=8, elbow=112, inward=-78, pronate=-40, curl=6)
STRETCHED = Arm(abduct=88, forward=4, elbow=8, inward=10, curl=8)
OVERHEAD = Arm(abduct=148, forward=12, elbow=42, inward=80, curl=12)
UP = Arm(abduct=164, forward=6, elbow=8, inward=30, curl=10)
LAPEL = Arm(abduct=22, forward=14, elbow=122, inward=64, pronate=0, curl=30)
ON_THIGH = Arm(abduct=16, forward=28, elbow=42, inward=34, pronate=40, curl=16)
SWING_FRONT = Arm(abduct=11, forward=24, elbow=32, inward=25)
SWING_BACK = Arm(abduct=12, forward=-26, elbow=14, inward=15)

STRAIGHT = Leg(spread=3, turn=6, knee=2)
WIDE = Leg(spread=11, turn=10, knee=2)
FREE = Leg(flex=14, spread=8, turn=16, knee=22, heel=6)
CROSSED_FRONT = Leg(flex=8, spread=-5, turn=8, knee=10, heel=4)
STEP_FRONT = Leg(flex=22, spread=2, turn=5, knee=8)
STEP_BACK = Leg(flex=-16, spread=2, turn=8, knee=20, heel=24)
SEATED = Leg(flex=84, spread=9, turn=4, knee=86)
KNEE_UP = Leg(flex=58, spread=6, turn=6, knee=72, heel=4)
LUNGE_FRONT = Leg(flex=48, spread=6, turn=6, knee=48)
LUNGE_BACK = Leg(flex=-24, spread=5, turn=8, knee=26, heel=34)

POSES = (
    Pose("front", HANGING, HANGING, STRAIGHT, STRAIGHT),
    Pose("catalogue", RELAXED, HANGING, FREE, STRAIGHT, pelvis=4, lean=2, head_turn=4),
    Pose("arms_away", AWAY, AWAY, STRAIGHT, STRAIGHT),
    Pose("hand_on_hip", ON_HIP, HANGING, STRAIGHT, FREE, pelvis=-5, lean=-3, head_tilt=4),
    Pose("hands_on_hips", ON_HIP, ON_HIP, WIDE, WIDE, head_turn=-6),
    Pose("pocket", IN_POCKET, RELAXED, STRAIGHT, FREE, pelvis=-3, head_turn=10),
    Pose("pockets", IN_POCKET, IN_POCKET, WIDE, STRAIGHT, head_turn=-8, head_nod=4),
    Pose("behind_back", BEHIND, BEHIND, STRAIGHT, STRAIGHT, head_tilt=-4),
    Pose("hand_at_hair", AT_HAIR, HANGING, FREE, STRAIGHT, pelvis=4, lean=-4, head_tilt=-6),
    Pose("both_hands_at_hair", AT_HAIR, AT_HAIR, STRAIGHT, FREE, pelvis=-3, head_turn=8),
    Pose("hand_at_chin", AT_CHIN, ACROSS, STRAIGHT, FREE, pelvis=-3, head_nod=4),
    Pose("arm_across", ACROSS, HANGING, STRAIGHT, STRAIGHT, head_turn=-10),
    Pose("arms_folded", Arm(18, 34, 104, 80, 10, 0, 14), Arm(20, 24, 100, 84, 30, 0, 14), WIDE, STRAIGHT),
    Pose("phone", PHONE, HANGING, STRAIGHT, FREE, head_nod=14, head_turn=6),
    Pose("wave", WAVE, RELAXED, STRAIGHT, FREE, lean=-3, head_tilt=5),
    Pose("stretched", STRETCHED, STRETCHED, WIDE, WIDE),
    Pose("one_arm_out", STRETCHED, HANGING, STRAIGHT, FREE, lean=-3, head_turn=14),
    Pose("overhead", OVERHEAD, OVERHEAD, STRAIGHT, FREE, bend=-4),
    Pose("arms_up", UP, UP, STRAIGHT, STRAIGHT, bend=-4, head_nod=-6),
    Pose("one_arm_up", UP, ON_HIP, FREE, STRAIGHT, pelvis=4, lean=-6),
    Pose("lapels", LAPEL, LAPEL, STRAIGHT, FREE, pelvis=-3, head_turn=6),
    Pose("reach", FORWARD, RELAXED, FREE, STRAIGHT, twist=-6),
    Pose("walking", SWING_BACK, SWING_FRONT, STEP_FRONT, STEP_BACK, twist=-6),
    Pose("walking_quarter", SWING_BACK, SWING_FRONT, STEP_FRONT, STEP_BACK, yaw=-38, twist=-5, head_turn=22),
    Pose("legs_crossed", RELAXED, IN_POCKET, CROSSED_FRONT, STRAIGHT, pelvis=3, head_turn=8),
    Pose("quarter_turn", HANGING, RELAXED, FREE, STRAIGHT, yaw=32, pelvis=3, head_turn=-18),
    Pose("quarter_pocket", IN_POCKET, HANGING, STRAIGHT, FREE, yaw=-34, pelvis=-3, head_turn=20),
    Pose("half_profile", RELAXED, HANGING, STRAIGHT, FREE, yaw=58, head_turn=-24),
    Pose("profile", HANGING, SWING_FRONT, STRAIGHT, STRAIGHT, yaw=86, head_turn=-10),
    Pose("over_shoulder", RELAXED, ON_HIP, STRAIGHT, FREE, yaw=142, twist=-14, head_turn=-46),
    Pose("back", HANGING, HANGING, STRAIGHT, STRAIGHT, yaw=180),
    Pose("back_hip", ON_HIP, RELAXED, STRAIGHT, FREE, yaw=168, pelvis=-4, head_turn=10),
    Pose("back_walking", SWING_FRONT, SWING_BACK, STEP_BACK, STEP_FRONT, yaw=186, twist=6),
    Pose("seated", ON_THIGH, ON_THIGH, SEATED, SEATED, yaw=14, bend=4),
    Pose("seated_quarter", ON_THIGH, RELAXED, SEATED, SEATED, yaw=-44, bend=6, head_turn=18),
    Pose("perched", ON_THIGH, HANGING, KNEE_UP, Leg(flex=30, spread=7, knee=30), yaw=24, bend=3),
    Pose("lunge", ON_HIP, RELAXED, LUNGE_FRONT, LUNGE_BACK, yaw=-24, head_turn=14),
    Pose("leaning", IN_POCKET, ACROSS, CROSSED_FRONT, STRAIGHT, yaw=20, lean=8, head_tilt=-6),
)

BACK_VIEWS = ("over_shoulder", "back", "back_hip", "back_walking")
SIDE_VIEWS = ("half_profile", "profile")
SEATED_VIEWS = ("seated", "seated_quarter", "perched")


def random_pose(rng: np.random.Generator, names: tuple[str, ...] | None = None) -> Pose:
    """One pose of the library, mirrored by chance and jittered."""
    library = [pose for pose in POSES if names is None or pose.name in names]
    pose = library[int(rng.integers(len(library)))]
    if rng.random() < 0.5:
        pose = pose.mirrored()
    return pose.jittered(rng)
