"""What carries Arc2Face: a prior, the noise that it was trained with, and the autoencoder in whose latents it draws.

Two of them: our own starter, which draws faces of 256 px and may see where their features are, and the published networks,
which draw faces of 512 px. The method knows neither. Torch is imported inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.faces.loading import load_network, load_used, refuse_others

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Carrier:
    """Loaded networks.

    Attributes:
        prior: as of diffusion/sampling.py; schedule: its noise, in the words of diffusers' schedulers.
        latent: channels, height and width of what it draws.
        decode: latents (B, C, h, w) as the prior deals in them to faces (B, 3, S, S) RGB of about [-1, 1].
        few_steps: for the sampler "lcm", the prior as a consistency model, at a guidance of the person and of the sketch's
            lines; None where it is none.
        posed: the prior to which the sketch is a pose picture, held at a strength, 0 to 1; None where it cannot be.
    """

    prior: Any
    schedule: Mapping[str, Any]
    latent: tuple[int, int, int]
    decode: Callable[[Tensor], Tensor]
    few_steps: Callable[[float, float], Any] | None = None
    posed: Callable[[float], Any] | None = None


def starter(checkpoint: Checkpoint, device: str) -> Carrier:
    """Our own prior and autoencoder; CheckpointError when they cannot be loaded."""
    autoencoder: Any = load_used(checkpoint, "autoencoder", device)
    prior: Any = load_network(checkpoint, device)
    from facestudio.networks.prior import SCHEDULE

    config = checkpoint.config
    latent = (config["latent"], config["side"], config["side"])

    def decode(latents: Tensor) -> Tensor:
        faces: Tensor = autoencoder.pixels(latents / prior.loud[:, None, None])
        return faces

    return Carrier(prior, SCHEDULE, latent, decode, consistent(checkpoint, prior, device))


def consistent(asking: Checkpoint, prior: Any, device: str) -> Callable[[float, float], Any] | None:
    """What makes a consistency model of our own `prior`, as of `Carrier.few_steps`, by the weights that `asking` uses as "lcm";
    None where it uses none, or they are not here.

    They are loaded when it is called first; CheckpointError then, when they cannot be or belong to another prior.
    """
    entry = checkpoints.load_manifest().get(asking.uses.get("lcm", ""))
    if entry is None or checkpoints.lacking(entry):
        return None

    @cache
    def learned() -> Any:
        from facestudio.networks.consistency import FewSteps

        network: Any = load_used(asking, "lcm", device)
        refuse_others(entry, "consistency")
        return FewSteps(prior, network)

    return lambda guidance, lines: learned().at(guidance, lines)


def published(checkpoint: Checkpoint, device: str) -> Carrier:
    """The authors' text encoder and U-Net, and Stable Diffusion's autoencoder; CheckpointError when they cannot be loaded.

    The pose ControlNet, which it uses as "pose", is loaded when a pose is given first. On a graphics card U-Net and ControlNet
    compute in float16, as the authors do: half the memory.
    """
    autoencoder = load_used(checkpoint, "autoencoder", device)
    unet, encoder = (load_network(checkpoint, device, part) for part in ("weights", "encoder"))

    def halved(network: Any) -> Any:
        return network.half() if device.startswith("cuda") else network

    return stable_diffusion(encoder, halved(unet), autoencoder, lambda: halved(load_used(checkpoint, "pose", device)))


def stable_diffusion(encoder: Any, unet: Any, autoencoder: Any, control: Callable[[], Any] | None = None) -> Carrier:
    """The carrier that these networks make, the ControlNet of poses when it is asked for; see networks/arc2face.py."""
    import torch

    from facestudio.networks.arc2face import SCHEDULE, Arc2FacePrior

    def decode(latents: Tensor) -> Tensor:
        # one at a time: so that memory does not grow with their number
        return torch.cat([autoencoder.decode(one[None] / autoencoder.config.scaling_factor).sample for one in latents])

    posed = None
    if control is not None:
        once = cache(control)

        def posed(strength: float) -> Any:
            return Arc2FacePrior(encoder, unet, once(), strength)

    side = unet.config.sample_size
    latent = (unet.config.in_channels, side, side)
    return Carrier(Arc2FacePrior(encoder, unet), SCHEDULE, latent, decode, posed=posed)
