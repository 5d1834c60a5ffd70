"""Options of Redraw (redraw.py) and of Decouple (decouple.py), which draws as that does, with other defaults."""

from __future__ import annotations

from typing import Any

from facestudio.methods import usual_options as usual
from facestudio.options import option


def change_option(default: float, rare: bool = False) -> Any:
    """How far the face is dissolved, 0.4 to 1; `rare` where that is seldom the thing to change."""
    return option(
        default,
        title="Change",
        help="How much noise the face gets before it is redrawn: higher leaves less of the original.",
        minimum=0.4,
        maximum=1.0,
        step=0.05,
        rare=rare,
    )


def guidance_option() -> Any:
    """How strictly the new person is followed, 1 to 8."""
    return usual.guidance_option(3.0, "How strictly the new face follows the new person (guidance).", rare=True)


def steps_option(default: int) -> Any:
    """Calls of the prior, 2 to 250."""
    return usual.steps_option(default, minimum=2)


def lines_option() -> Any:
    """How much more strictly the features stay where they were than the prior would let them, 0 to 3."""
    return usual.lines_option(
        2.0, "How strictly eyes, nose, mouth and face outline stay where they were: higher is more exact."
    )


def sampler_option(default: str) -> Any:
    """The solver."""
    return usual.sampler_option(
        default,
        ("dpm", "lcm"),
        "lcm (a consistency model) needs about 4 steps, each taking a third of the time; dpm (DPM-Solver++) "
        "needs 8 or more.",
        before="dpm",
    )


def takes_option(default: int) -> Any:
    """How often each face is drawn, 1 to 8."""
    return option(
        default,
        title="Takes",
        help=(
            "Draw the face this many times and, of those unlike the other new faces of the run, keep the one whose "
            "features moved least. The time grows with the number."
        ),
        minimum=1,
        maximum=8,
        step=1,
        before=1,
        rare=True,
    )


def guide_option() -> Any:
    """How hard the face is pushed away from whom the listener still knows in it, 0 to 1."""
    return option(
        0.0,
        title="Push away",
        help="How strongly the face is pushed away from the original person while it is drawn, wherever that "
        "person still shows; 0 turns it off.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        rare=True,
    )


def hair_option() -> Any:
    """Whether hair and hats that hang into the face stay."""
    return option(
        True,
        title="Keep hair",
        help=(
            "Keep hair, a hat or the background where they reach into the face area. They are told from the face "
            "by their colour."
        ),
        before=False,
        rare=True,
    )
