"""Makes a filled network quicker without changing what it says: batch normalisation is folded into the layer before it.

In evaluation mode a batch normalisation only scales and shifts each channel, which the weights of the convolution or
linear layer before it can do as well. Separate from `loading` because it knows no checkpoints, and from `networks`
because training needs the two layers apart. Torch is imported inside.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import nn

N = TypeVar("N", bound="nn.Module")


def fuse(network: N) -> N:
    """Fold each BatchNorm2d behind a Conv2d, and BatchNorm1d behind a Linear, into that layer.

    Looked for among the neighbours of each nn.Sequential, and where a module says in `folds` which of its attributes
    stand behind one another: `folds = (("conv1", "bn1"), ...)`. That is a promise that its forward hands the output of
    the one to the other alone. Changes `network` and returns it; its outputs differ by rounding only. An nn.Identity
    stands where the normalisation was, so that the other layers keep their names. What is used in more than one place
    stays as it is. ValueError in training mode, where the normalisation depends on the batch.
    """
    from torch import nn

    if network.training:
        raise ValueError("only a network in evaluation mode can be fused")
    uses = Counter(id(module) for _, module in network.named_modules(remove_duplicate=False))
    for module in list(network.modules()):
        for first, second in _neighbours(module):
            layer, norm = getattr(module, first), getattr(module, second)
            if uses[id(layer)] == uses[id(norm)] == 1 and _fits(layer, norm):
                _fold(layer, norm)
                setattr(module, second, nn.Identity())
    return network


def _neighbours(module: nn.Module) -> list[tuple[str, str]]:
    """Names of the children of `module` that stand behind one another."""
    from torch import nn

    if type(module).forward is nn.Sequential.forward:
        names = list(module._modules)
        return list(zip(names[:-1], names[1:], strict=True))
    return list(getattr(module, "folds", ()))


def _fits(layer: nn.Module, norm: nn.Module) -> bool:
    """Whether `norm` can go into `layer`: of exactly these classes, since a subclass may compute something else, and
    with statistics of its own, since without any it takes the batch's."""
    from torch import nn

    pair = (type(layer), type(norm))
    return pair in ((nn.Conv2d, nn.BatchNorm2d), (nn.Linear, nn.BatchNorm1d)) and norm.running_mean is not None


def _fold(layer: Any, norm: Any) -> None:
    from torch.nn.utils.fusion import fuse_conv_bn_weights

    # the first axis of the weights is the output's in both kinds of layer
    layer.weight, layer.bias = fuse_conv_bn_weights(
        layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
