"""Options that several methods have, each described once: what differs between methods is an argument.

Beside the methods, because panels and flags show them without torch. Every function makes a field of an Options dataclass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facestudio.options import Limit, option


def strength_option() -> Any:
    """The option `strength`, which the pipeline applies for every Restorer that has it."""
    return option(
        1.0,
        title="Strength",
        help="How strongly the restored face covers the original: 0 shows the original, 1 only the restored face.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )


def grain_option() -> Any:
    """The option `grain`, of methods that smooth a crop by `faces.grain.without_grain` before their network sees it."""
    return option(
        0.7,
        title="Grain",
        help="How much film or sensor grain to remove before restoring: higher values give a cleaner face but also "
        "lose fine lines. Faces without grain are not affected.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        before=0.0,
    )


def guidance_option(default: float, help: str, needs: str = "", rare: bool = False) -> Any:
    """How strictly a person is followed by classifier-free guidance, 1 (not more than the network itself does) to 8."""
    return option(default, title="Likeness", help=help, needs=needs, minimum=1.0, maximum=8.0, step=0.25, rare=rare)


def steps_option(default: int, more: str = "", minimum: int = 1, limits: Sequence[Limit] = ()) -> Any:
    """Calls of a network that takes noise away, `minimum` to 250; `more` is said of them behind what holds everywhere."""
    return option(
        default,
        title="Steps",
        help=f"Denoising steps: fewer are faster, more give finer results. {more}".rstrip(),
        minimum=minimum,
        maximum=250,
        step=1,
        rare=True,
        limits=limits,
    )


def sampler_option(default: str, choices: Sequence[str], help: str, before: str | None = None) -> Any:
    """The solver of a diffusion."""
    return option(default, title="Sampler", help=help, choices=choices, before=before, rare=True)


def lines_option(default: float, help: str) -> Any:
    """How much more strictly the lines of a sketch are followed than the prior would, 0 to 3."""
    return option(default, title="Features", help=help, minimum=0.0, maximum=3.0, step=0.25, before=0.0, rare=True)
