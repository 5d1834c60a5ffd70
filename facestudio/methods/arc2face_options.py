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
        "How strictly the pictures follow the person (guidance): higher is more alike and less varied. No effect "
        "when no person is given.",
        needs=PERSON,
    )
    steps: int = steps_option(20, limits=LCM_LIMITS)
    sampler: str = sampler_option(
        "dpm",
        SAMPLERS,
        "dpm (DPM-Solver++) needs few steps; ddim needs more and is what papers compare with; lcm (a consistency "
        "model) needs only 2 but looks worse, for drafts.",
    )
    hold_pose: bool = option(
        False,
        title="Hold pose",
        help="Keep the pose and expression of the photo. No effect without a photo.",
        needs=PHOTO,
    )
    lines: float = lines_option(
        1.0,
        "How strictly eyes, nose, mouth and face outline follow the positions set by sliders or a held pose: "
        "higher is more exact, and a little less alike.",
    )
    nearer: float = option(
        1.0,
        title="Nearer",
        help="How strongly the face is steered, while it is drawn, towards what the recogniser knows the person "
        "by: higher is more alike, but too much leaves artefacts.",
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
        "How strictly the pictures follow the person (guidance): higher is more alike and less varied. The "
        "authors use 3; no effect with lcm.",
    )
    steps: int = steps_option(25, "The authors use 25, or 2 to 4 with lcm.", limits=LCM_LIMITS)
    sampler: str = sampler_option(
        "dpm",
        SAMPLERS,
        "dpm (DPM-Solver++) is what the authors use; ddim needs more steps; lcm needs very few, looks a little "
        "worse, and requires the weights lcm-lora-sdv1-5.",
    )
    pose_strength: float = option(
        1.0,
        title="Pose",
        help="How strictly the head follows the pose and shape in the pose picture; 0 ignores it. The authors use "
        "1. Requires the weights arc2face-controlnet.",
        needs=POSE,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        rare=True,
    )
