"""What a person may choose of Arc2Face (arc2face.py), on our own prior and on the published networks."""

from __future__ import annotations

from dataclasses import dataclass

from facestudio.methods.usual_options import guidance_option, lines_option, sampler_option, steps_option
from facestudio.options import PERSON, PHOTO, POSE, Limit, Only, option

MOST_CONSISTENT = 50  # steps that a consistency model can be asked for
LCM_LIMITS = (Limit("sampler", "lcm", MOST_CONSISTENT),)
SAMPLERS = ("dpm", "ddim", "lcm")


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    guidance: float = guidance_option(
        2.0,
        "How strictly the person is followed (guidance): higher is more alike and less varied. Where nobody is told it has no "
        "effect.",
        needs=PERSON,
    )
    steps: int = steps_option(20, limits=LCM_LIMITS)
    sampler: str = sampler_option(
        "dpm",
        SAMPLERS,
        "dpm (DPM-Solver++) needs few steps; ddim needs more, and is what the papers compare with; lcm (a consistency model) "
        "needs 2 and is poorer: for drafts.",
    )
    hold_pose: bool = option(
        False,
        title="Hold pose",
        help="Keep pose and expression of the photo; without one it has no effect.",
        needs=PHOTO,
    )
    lines: float = lines_option(
        1.0,
        "How strictly eyes, nose, mouth and outline come where they are asked for, as by sliders or a held pose: more is nearer, "
        "and a little less alike.",
    )
    nearer: float = option(
        1.0,
        title="Nearer",
        help="How far a face is led, while it is drawn, to what the recogniser knows the person by: more is more alike by every "
        "recogniser, and too much leaves marks.",
        needs=PERSON,
        only=Only("sampler", ("dpm", "ddim")),
        minimum=0.0,
        maximum=3.0,
        step=0.25,
        before=0.0,
        rare=True,
    )


@dataclass(frozen=True)
class PublishedOptions:
    """What a person may choose of the published networks."""

    guidance: float = guidance_option(
        3.0,
        "How strictly the person is followed (guidance): higher is more alike and less varied. The authors take 3; lcm has none.",
    )
    steps: int = steps_option(25, "The authors take 25, of lcm 2 to 4.", limits=LCM_LIMITS)
    sampler: str = sampler_option(
        "dpm",
        SAMPLERS,
        "dpm (DPM-Solver++) is the authors'; ddim needs more steps; lcm needs very few, is a little poorer, and wants the "
        "weights lcm-lora-sdv1-5.",
    )
    pose_strength: float = option(
        1.0,
        title="Pose",
        help="How strictly the pose and the shape of the head in a pose picture are held: 0 not at all. The authors take 1; it "
        "wants the weights arc2face-controlnet.",
        needs=POSE,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        rare=True,
    )
