"""From a foreign file of weights to safetensors that fit a network, in a process of its own.

    python -m facestudio.conversion < ORDER.json > ANSWER.json

Separate from importing.py, which starts it: whatever a file does to the reader, it does to this process, whose memory
is limited and whose end the other one sees. It knows neither the manifest nor the user's folders; an `Order` says all.
Torch is imported inside.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facestudio import foreign
from facestudio.errors import CheckpointCorrupt, CheckpointError, CheckpointMismatch, CheckpointMissing
from facestudio.files import shown
from facestudio.graphs import Graph

if TYPE_CHECKING:
    from torch import Tensor

WRAPPERS = ("params_ema", "params", "state_dict", "model", "net_state_dict")  # tried after those that the order names
PREFIXES = ("", "module.", "model.")
SPARE = 1 << 30  # bytes of memory beside those that the weights need
ERRORS = {kind.__name__: kind for kind in (CheckpointError, CheckpointCorrupt, CheckpointMismatch, CheckpointMissing)}
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Order:
    """What is to be converted. Paths are absolute.

    Attributes:
        title: of the weights, for messages; target: the safetensors to write.
        sources: files by the name of their array, or one file by "".
        architecture, config: of the network that they must fit; "" for arrays.
        shapes: of the arrays, -1 where any size will do.
        wrappers, prefixes, ignored, renamed: as of manifest.Published.
    """

    title: str
    target: str
    sources: Mapping[str, str]
    architecture: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    wrappers: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    ignored: Sequence[str] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)


def convert(order: Order) -> None:
    """Write `order.target`; CheckpointError in one sentence, and no file, when the sources are not what they should be."""
    tensors = _arrays(order) if order.shapes else _weights(order)
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(tensors, order.target)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{order.title} cannot be written: {error}.", hint="Free some space, or allow your user to write there."
        ) from error


def _weights(order: Order) -> dict[str, Tensor]:
    import torch

    from facestudio.faces.loading import build_network
    from facestudio.faces.unfusing import weights_of

    (source,) = order.sources.values()
    with torch.device("meta"):
        network = build_network(order.architecture, order.config, order.title)
    wanted = network.state_dict()
    limit_memory(2 * os.path.getsize(source) + 3 * sum(t.numel() * t.element_size() for t in wanted.values()))
    held = foreign.read(Path(source))
    if isinstance(held, Graph):
        held = weights_of(held, network, order.title, shown(source))
    return fitted(held, wanted, order, shown(source))


def _arrays(order: Order) -> dict[str, Tensor]:
    limit_memory(3 * sum(map(os.path.getsize, order.sources.values())))
    tensors = {}
    for key, shape in order.shapes.items():
        name = shown(order.sources[key])
        held = foreign.read(Path(order.sources[key]))
        try:
            tensors[key] = _sound(held.reshape(*shape).float(), key, name)
        except (AttributeError, RuntimeError) as error:
            there = _size(held) if hasattr(held, "shape") else "something else"
            raise CheckpointMismatch(
                f"{name} does not fit {order.title}: it is {there} where {_words(shape)} is expected.",
                hint="Choose the published file.",
            ) from error
    return tensors


def fitted(held: Any, wanted: Mapping[str, Tensor], order: Order, name: str) -> dict[str, Tensor]:
    """The tensors of `wanted` out of what a file called `name` held, by the names that the network gives them.

    Everything that stands behind the prefix must belong to the network or be ignored; what stands elsewhere in the
    file, such as an optimiser or a discriminator, is left out. CheckpointMismatch when it does not fit.
    """
    best: tuple[int, str, Mapping[str, Any]] = (0, "", {})
    for table in _tables(held, order.wrappers):
        for prefix in dict.fromkeys((*order.prefixes, *PREFIXES)):
            count = sum(_is_tensor(table.get(prefix + key)) for key in wanted)
            best = max(best, (count, prefix, table), key=lambda found: found[0])
    count, prefix, table = best
    hint = "Choose the published file."
    if not count:
        raise CheckpointMismatch(f"{name} contains no weights of {order.title}.", hint=hint)
    found = {key[len(prefix) :]: value for key, value in table.items() if _belongs(key, prefix, value)}
    there = {_renamed(key, order.renamed) if key not in wanted else key: value for key, value in found.items()}
    lacking = [key for key in wanted if key not in there and not key.endswith(_COUNTER)]
    unknown = [key for key in there if key not in wanted and not key.startswith(tuple(order.ignored))]
    if lacking or unknown:
        what = f"it lacks {lacking[0]}" if lacking else f"it has {unknown[0]}, which is unknown"
        more = len(lacking) + len(unknown) - 1
        raise CheckpointMismatch(
            f"{name} does not fit {order.title}: {what}" + (f" (and {more} more differ)." if more else "."), hint=hint
        )
    made = {}
    for key, value in there.items():
        if key not in wanted:
            continue
        want = wanted[key]
        if value.shape != want.shape or value.is_floating_point() != want.is_floating_point():
            have, expected = f"{_size(value)} {value.dtype}", f"{_size(want)} {want.dtype}"
            raise CheckpointMismatch(
                f"{name} does not fit {order.title}: {key} is {have} where {expected} is expected.", hint=hint
            )
        made[key] = _sound(value, key, name)
    return made


def _tables(held: Any, wrappers: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """Where the weights may stand in what a file held: behind a wrapper, or bare."""
    if isinstance(held, Mapping):
        for wrapper in dict.fromkeys((*wrappers, *WRAPPERS)):
            if isinstance(held.get(wrapper), Mapping):
                yield held[wrapper]
        yield held


def _renamed(key: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        key = key.replace(old, new)
    return key


def _belongs(key: object, prefix: str, value: object) -> bool:
    return isinstance(key, str) and key.startswith(prefix) and _is_tensor(value)


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _sound(tensor: Tensor, key: str, name: str) -> Tensor:
    """A copy that stands for itself, without gaps; CheckpointCorrupt when it holds what is no number."""
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_complex():
        raise CheckpointMismatch(
            f"{name} contains {key} in a form that cannot be used.", hint="Choose the published file."
        )
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        raise CheckpointCorrupt(f"{name} is damaged: {key} contains values that are not numbers.", hint="Get it again.")
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes, and some to spare, beyond what it has; where the system can limit it."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    limit = pages * resource.getpagesize() + more + SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def _size(tensor: Tensor) -> str:
    return _words(tensor.shape)


def _words(shape: Sequence[int]) -> str:
    return " x ".join("any" if side < 0 else str(side) for side in shape) or "a single number"


def main() -> int:
    """Do the order on standard input and answer on standard output: {} or an error with its sentence and hint."""
    order = Order(**json.load(sys.stdin))
    answer: dict[str, str] = {}
    try:
        convert(order)
    except CheckpointError as error:
        answer = {"error": type(error).__name__, "message": str(error), "hint": error.hint}
    except MemoryError:
        names = ", ".join(shown(path) for path in order.sources.values())
        answer = {
            "error": CheckpointCorrupt.__name__,
            "message": f"Reading {names} takes far more memory than these weights need, so it was stopped.",
            "hint": "Choose the published file.",
        }
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
