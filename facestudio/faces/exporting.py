"""From checkpoint to ONNX file, for programs that find or recognise faces without Face Studio.

The file says in its metadata what goes in and what comes out, because nothing else would tell whoever gets it. Networks
that only work inside a method (a restorer's, say) are refused: the method is more than its network. Separate from
`loading` because it needs the packages onnx and onnxscript, which are an extra. Torch and they are imported inside.
"""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio.checkpoints import Checkpoint, load_manifest
from facestudio.errors import FaceStudioError, UsageError
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.landmarks import BOX
from facestudio.faces.loading import fill_network
from facestudio.files import shown, write_beside
from facestudio.progress import Progress
from facestudio.recipe import app_version

SUFFIX = ".onnx"
EXTRA = "pip install 'facestudio[export]'"
OPSET = 18
MULTIPLE = 32  # of the sides of a picture that may have any size


@dataclass(frozen=True)
class Form:
    """What a network takes and gives.

    Attributes:
        takes: name of its input (B, 3, H, W); side: of that input, 0 where height and width are any multiples of 32.
        gives: name of each output, with the stride of its map, or 0 where it is none.
        about: sentences on input and outputs for the file's metadata.
    """

    takes: str
    side: int
    gives: dict[str, int]
    about: dict[str, str]


def export(entry: Checkpoint, target: Path, overwrite: bool = False, progress: Progress | None = None) -> Path:
    """Write the network of `entry` as the ONNX file `target`, whole or not at all, and return `target`.

    The batch is free, and so are height and width of a detector's input. The metadata names the checkpoint, its licence,
    the sha256 of its weights, and what input and outputs mean. UsageError when the network is none that can stand alone
    or the name does not end in .onnx; UnwritableOutput when `target` exists (without `overwrite`) or cannot be written;
    CheckpointError when the weights cannot be used; FaceStudioError when the extra is not installed.
    """
    form = form_of(entry)
    if form is None:
        raise UsageError(
            f"{entry.id} cannot be exported: only detectors, landmark finders and embedders work on their own.",
            hint=f"You can export: {', '.join(id for id, other in load_manifest().items() if form_of(other))}.",
        )
    if target.suffix.lower() != SUFFIX:
        raise UsageError(f"{shown(target)} is not a name for an ONNX file.", hint=f"Use a name that ends in {SUFFIX}.")
    onnx = _packages()

    def write(file: Any) -> None:
        with (progress or Progress()).step("Exporting"):
            model = _model(entry, form, onnx)
        file.write(model.SerializeToString())

    write_beside(target, write, overwrite)
    return target


def form_of(entry: Checkpoint) -> Form | None:
    """What the network of `entry` takes and gives; None when it cannot be exported. Imports torch for a detector."""
    module = entry.architecture.partition(":")[0]
    if entry.method:
        return None
    if module == "detector":
        from facestudio.networks.detector import STRIDES

        return Form("photo", 0, {f"stride_{stride}": stride for stride in STRIDES}, _DETECTOR)
    if module == "landmarks":
        if entry.config.get("pose"):
            told = {**_LANDMARKS, "output": _LANDMARKS["output"] + _POSE}
            return Form("crop", 112, {"points": 0, "logits": 0, "rotations": 0}, told)
        return Form("crop", 112, {"points": 0, "logits": 0}, _LANDMARKS)
    if entry.recognises:
        calibration = {"calibration": json.dumps(dict(entry.calibration))}
        return Form("crop", ARCFACE_112.size, {"embedding": 0}, {**_EMBEDDER, **calibration})
    return None


_DETECTOR = {
    "input": "photo: the whole picture at most 1024 px long, filled up with 0 at its right and below to multiples of 32",
    "output": "stride_S (batch, 15, height/S, width/S): score logit; logarithm of the distances from the place's centre "
    "to left, top, right and bottom of the box, in strides; left eye, right eye, nose, left and right mouth corner (x, y) "
    "from the centre, in strides. The centre of row i, column j is x = (j + 0.5) S - 0.5, y = (i + 0.5) S - 0.5",
}
_LANDMARKS = {
    "input": f"crop: {', '.join(f'{side:.0f}' for side in BOX)} (left, top, right, bottom) of a crop FFHQ_256, made 112 px",
    "output": "points (batch, 73, 2): x and y in 0..1 of the crop, 68 in the order of iBUG, then left eye, right eye, nose, "
    "left and right mouth corner; logits (batch): of being a face",
}
_POSE = (
    "; rotations (batch, 3, 3): rows say how far the crop's right, down and towards the camera reach along those axes of the "
    "head"
)
_EMBEDDER = {
    "input": "crop: the face with left eye, right eye, nose, left and right mouth corner at "
    + ", ".join(f"({x:.4f}, {y:.4f})" for x, y in ARCFACE_112.points),
    "output": "embedding (batch, D), not normalised. Add those of a crop and of its mirror image, then scale to length 1; "
    "the calibration holds for the cosine of two of these",
}


def _packages() -> Any:
    """The module onnx; FaceStudioError with the command that installs what is missing."""
    try:
        importlib.import_module("onnxscript")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise FaceStudioError("Exporting needs the packages onnx and onnxscript.", hint=f"Run: {EXTRA}") from error


def _model(entry: Checkpoint, form: Form, onnx: Any) -> Any:
    """The onnx.ModelProto of the filled network, with named axes and metadata."""
    import torch

    network = fill_network(entry)
    axes: dict[int, Any] = {0: torch.export.Dim("batch")}
    height, width = form.side, form.side
    if not form.side:
        height, width = 2 * MULTIPLE, 3 * MULTIPLE
        axes |= {2: MULTIPLE * torch.export.Dim("rows"), 3: MULTIPLE * torch.export.Dim("columns")}
    try:
        with _quietly():
            program = torch.onnx.export(
                network,
                (torch.zeros(2, 3, height, width),),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=[form.takes],
                output_names=list(form.gives),
                dynamic_shapes=(axes,),
            )
    except torch.onnx.OnnxExporterError as error:
        raise FaceStudioError(
            f"{entry.id} cannot be exported: its network uses an operation that ONNX cannot express."
        ) from error
    assert program is not None
    model = program.model_proto
    _strip(model)
    _name_axes(model, form)
    onnx.helper.set_model_props(model, _metadata(entry, form))
    onnx.checker.check_model(model)
    return model


def _strip(model: Any) -> None:
    """Take out what the exporter tells of its own work, such as the paths of this computer's source files."""
    del model.graph.value_info[:]
    for part in (model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
        part.doc_string = ""


def _name_axes(model: Any, form: Form) -> None:
    """Say batch, height and width where the exporter says s77."""
    (taken,) = model.graph.input
    strides = {taken.name: 1, **form.gives}
    for value in (taken, *model.graph.output):
        stride = strides[value.name]
        over = "" if stride == 1 else f"/{stride}"
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "", "height", "width"), strict=False):
            if axis.dim_param:
                axis.dim_param = name if name == "batch" else name + over


def _metadata(entry: Checkpoint, form: Form) -> dict[str, str]:
    return {
        "id": entry.id,
        "title": entry.title,
        "licence": entry.licence,
        "source": entry.source,
        "sha256": entry.files["weights"].sha256,
        "architecture": entry.architecture,
        "layout": "NCHW float32, RGB",
        "range": "-1 to 1: level / 127.5 - 1",
        "exported_by": f"Face Studio {app_version()}",
        **form.about,
    }


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what torch's exporter tells of itself: its own deprecated calls, and that torchvision is not here.

    Also without the thread that tqdm would start, and never end, for a progress bar that is not shown.
    """
    from tqdm import tqdm

    log = logging.getLogger("torch.onnx")
    level, interval = log.level, tqdm.monitor_interval
    log.setLevel(logging.ERROR)
    tqdm.monitor_interval = 0
    try:
        with warnings.catch_warnings():
            for category in (FutureWarning, DeprecationWarning):
                warnings.simplefilter("ignore", category)
            yield
    finally:
        log.setLevel(level)
        tqdm.monitor_interval = interval
