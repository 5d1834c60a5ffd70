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
        self.state: dict[str, Tensor] = {key: value.float() for key, value in state["net_state_dict"].items()}
        self.strides = {0: 2, 5: 2, 12: 2}

    def norm(self, x: Tensor, key: str) -> Tensor:
        s = self.state
        return functional.batch_norm(
            x, s[f"{key}.running_mean"], s[f"{key}.running_var"], s[f"{key}.weight"], s[f"{key}.bias"], eps=1e-5
        )

    def conv(self, x: Tensor, key: str, stride: int = 1, padding: int = 0, linear: bool = False) -> Tensor:
        weight = self.state[f"{key}.conv.weight"]
        x = self.norm(
            functional.conv2d(x, weight, None, stride, padding, 1, x.shape[1] // weight.shape[1]), f"{key}.bn"
        )
        return x if linear else functional.prelu(x, self.state[f"{key}.prelu.weight"])

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`x` (B, 3, 112, 96) RGB in [-1, 1] to raw embedding (B, 128) and maps at strides 4, 8, 16 plus the 512-channel one."""
        s = self.state
        x = self.conv(self.conv(x, "conv1", 2, 1), "dw_conv1", 1, 1)
        maps = []
        for index in range(15):
            key = f"blocks.{index}.conv"
            y = functional.prelu(
                self.norm(functional.conv2d(x, s[f"{key}.0.weight"]), f"{key}.1"), s[f"{key}.2.weight"]
            )
            y = functional.conv2d(y, s[f"{key}.3.weight"], None, self.strides.get(index, 1), 1, 1, y.shape[1])
            y = functional.prelu(self.norm(y, f"{key}.4"), s[f"{key}.5.weight"])
            y = self.norm(functional.conv2d(y, s[f"{key}.6.weight"]), f"{key}.7")
            x = x + y if x.shape == y.shape and index not in self.strides else y
            if index in (4, 11, 14):
                maps.append(x)
        x = self.conv(x, "conv2")
        maps.append(x)
        x = self.conv(self.conv(x, "linear7", linear=True), "linear1", linear=True)
        return x.flatten(1), maps
