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
        help="How far the face is dissolved before it is drawn anew: higher leaves less of it.",
        minimum=0.4,
        maximum=1.0,
        step=0.05,
        rare=rare,
    )


def guidance_option() -> Any:
    """How strictly the new person is followed, 1 to 8."""
    return usual.guidance_option(3.0, "How strictly the new person is followed (guidance).", rare=True)


def steps_option(default: int) -> Any:
    """Calls of the prior, 2 to 250."""
    return usual.steps_option(default, minimum=2)


def lines_option() -> Any:
    """How much more strictly the features stay where they were than the prior would let them, 0 to 3."""
    return usual.lines_option(2.0, "How strictly eyes, nose, mouth and outline stay where they were: more is nearer.")


def sampler_option(default: str) -> Any:
    """The solver."""
    return usual.sampler_option(
        default,
        ("dpm", "lcm"),
        "lcm (a consistency model) needs some 4 steps, each in a third of the time; dpm (DPM-Solver++) needs 8 or more.",
        before="dpm",
    )


def takes_option(default: int) -> Any:
    """How often each face is drawn, 1 to 8."""
    return option(
        default,
        title="Takes",
        help="Draws the face so many times, and keeps the one whose features moved least. Each takes its time.",
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
        help="How hard the face is pushed away from the person before, while it is drawn, where that person shows; 0: never. "
        "With lcm the last step is pushed, too.",
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
        help="Hair, a hat, and what is behind a face that looks aside stay where they hang into the face, told by their colour.",
        before=False,
        rare=True,
    )
