"""Teacher networks: read from outside the project, for labels, distillation and judging while training. Never shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.landmarks import BOX, SIDE


def crop112(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """ARCFACE_112 crop (112, 112, 3) uint8 of `pixels` by five landmarks (5, 2), cut as the product cuts it."""
    return align(pixels, points, ARCFACE_112).pixels


class Ms1m:
    """The MS1M teacher (ONNX). Also exposes inner tensors of its graph by name."""

    def __init__(self, folder: Path, taps: tuple[str, ...] = ()) -> None:
        import onnx
        import onnxruntime

        model = onnx.load(folder / "identity_ms1m_mobilefacenet.onnx")
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_param = "batch"
        for node in model.graph.node:
            if node.op_type == "Reshape":
                shape = next((c for c in model.graph.initializer if c.name == node.input[1]), None)
                if shape is not None:
                    values = onnx.numpy_helper.to_array(shape).copy()
                    if values[0] == 1:
                        values[0] = -1 if -1 not in values else 0
                        shape.CopyFrom(onnx.numpy_helper.from_array(values, shape.name))
        for tap in taps:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tap))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session: Any = onnxruntime.InferenceSession(model.SerializeToString(), options)
        self.mean = np.array([0.485, 0.456, 0.406], np.float32)
        self.std = np.array([0.229, 0.224, 0.225], np.float32)

    def __call__(self, crops: np.ndarray) -> list[np.ndarray]:
        """Unit embeddings (B, 128) of (B, 112, 112, 3) uint8 crops, then the tapped maps."""
        x = ((crops.astype(np.float32) / 255 - self.mean) / self.std).transpose(0, 3, 1, 2)
        out = self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(x)})
        raw = out[0].reshape(len(crops), -1)
        return [raw / np.linalg.norm(raw, axis=1, keepdims=True), *out[1:]]

    def embed_faces(self, images: np.ndarray, points: np.ndarray) -> np.ndarray:
        crops = np.stack([crop112(image, five) for image, five in zip(images, points, strict=True)])
        return np.concatenate([self(crops[i : i + 32])[0] for i in range(0, len(crops), 32)])


class Ms1mNetwork(nn.Module):
    """The same teacher as a torch network, computed node by node: for a GPU, and for what it says inside."""

    def __init__(self, folder: Path, taps: tuple[str, ...] = ()) -> None:
        super().__init__()
        import onnx

        graph = onnx.load(folder / "identity_ms1m_mobilefacenet.onnx").graph
        self.taps, self.input = taps, graph.input[0].name
        self.nodes = [
            (node.op_type, list(node.input), node.output[0], {one.name: one for one in node.attribute})
            for node in graph.node
            if node.op_type != "Constant"
        ]
        self.names = {one.name: f"tensor_{number}" for number, one in enumerate(graph.initializer)}
        for one in graph.initializer:
            self.register_buffer(self.names[one.name], torch.from_numpy(onnx.numpy_helper.to_array(one).copy()))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, crops: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Raw embeddings (B, 128) of `crops` (B, 3, 112, 112), RGB in 0..1, and the tapped maps."""
        found = {self.input: ((crops - self.mean) / self.std).contiguous(memory_format=torch.channels_last)}
        for kind, inputs, output, told in self.nodes:
            x = found[inputs[0]]
            if kind == "Conv":
                weight, bias = (getattr(self, self.names[name]) for name in inputs[1:3])
                stride, padding = list(told["strides"].ints), list(told["pads"].ints)[:2]
                made = functional.conv2d(x, weight, bias, stride, padding, 1, told["group"].i)
            elif kind == "Add":
                made = x + found[inputs[1]]
            elif kind in ("Clip", "Relu"):
                made = functional.relu6(x) if kind == "Clip" else functional.relu(x)
            elif kind == "Reshape":
                made = x.flatten(1)
            else:
                raise ValueError(f"a teacher with a node {kind}")
            found[output] = made
        return found[output], [found[tap] for tap in self.taps]


class Pfld:
    """The landmark teacher (PFLD, ONNX): 68 landmarks of FFHQ_256 crops."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session: Any = onnxruntime.InferenceSession(str(folder / "landmarks68_pfld.onnx"), options)

    def __call__(self, faces: np.ndarray) -> np.ndarray:
        """(N, 68, 2) float32, iBUG order, of `faces` (N, 256, 256, 3) uint8 RGB; in crop pixels, from the crop's corner."""
        left, top, right, bottom = map(round, BOX)
        found = []
        for face in faces:
            view = cv2.resize(face[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            x = (view.astype(np.float32) / 255).transpose(2, 0, 1)[None]
            told = self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(x)})
            points = next(out for out in told if out.size == 136).reshape(68, 2)
            found.append(points * [right - left, bottom - top] + [left, top])
        return np.array(found, np.float32)


class Casia(nn.Module):
    """The CASIA teacher: MobileFaceNet 112x96, built from the checkpoint's own shapes. Gives embedding and stage maps."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        state = torch.load(folder / "identity_casia_mobilefacenet.ckpt", map_location="cpu", weights_only=True)
        self.keys = {key: key.replace(".", "_") for key in state["net_state_dict"]}
        for key, name in self.keys.items():
            self.register_buffer(name, state["net_state_dict"][key].float())
        self.strides = {0: 2, 5: 2, 12: 2}

    def __getitem__(self, key: str) -> Tensor:
        """A tensor by its name in the checkpoint, on the device where the teacher is."""
        tensor: Tensor = getattr(self, self.keys[key])
        return tensor

    def norm(self, x: Tensor, key: str) -> Tensor:
        return functional.batch_norm(
            x,
            self[f"{key}.running_mean"],
            self[f"{key}.running_var"],
            self[f"{key}.weight"],
            self[f"{key}.bias"],
            eps=1e-5,
        )

    def conv(self, x: Tensor, key: str, stride: int = 1, padding: int = 0, linear: bool = False) -> Tensor:
        weight = self[f"{key}.conv.weight"]
        x = self.norm(
            functional.conv2d(x, weight, None, stride, padding, 1, x.shape[1] // weight.shape[1]), f"{key}.bn"
        )
        return x if linear else functional.prelu(x, self[f"{key}.prelu.weight"])

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`x` (B, 3, 112, 96) RGB in [-1, 1] to raw embedding (B, 128) and maps at strides 4, 8, 16 plus the 512-channel one."""
        x = self.conv(self.conv(x, "conv1", 2, 1), "dw_conv1", 1, 1)
        maps = []
        for index in range(15):
            key = f"blocks.{index}.conv"
            y = functional.prelu(
                self.norm(functional.conv2d(x, self[f"{key}.0.weight"]), f"{key}.1"), self[f"{key}.2.weight"]
            )
            y = functional.conv2d(y, self[f"{key}.3.weight"], None, self.strides.get(index, 1), 1, 1, y.shape[1])
            y = functional.prelu(self.norm(y, f"{key}.4"), self[f"{key}.5.weight"])
            y = self.norm(functional.conv2d(y, self[f"{key}.6.weight"]), f"{key}.7")
            x = x + y if x.shape == y.shape and index not in self.strides else y
            if index in (4, 11, 14):
                maps.append(x)
        x = self.conv(x, "conv2")
        maps.append(x)
        x = self.conv(self.conv(x, "linear7", linear=True), "linear1", linear=True)
        return x.flatten(1), maps
