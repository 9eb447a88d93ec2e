"""A network of PyTorch as an ONNX graph that reads its weights from a safetensors file beside it (ONNX's external
data), in the type in which they are stored there: nothing is kept twice.
"""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.core.atomic import write_bytes

OPSET = 18
STORED_TYPES = {"F16": 10, "F32": 1}  # safetensors' names and ONNX's numbers


class ExportError(ValueError):
    """Something cannot be exported, or its graphs compute something else than PyTorch."""


def write_graph(path: Path, module: nn.Module, inputs: dict[str, Tensor], axes: dict[str, dict[int, str]],
                output: str, weights: Path, prefix: str = "", opset: int = OPSET) -> None:
    """`weights`: the safetensors file whose tensors are the module's, less `prefix`, and where the graph shall read
    them."""
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sizes that are constants, and that it is the older of two exporters
        torch.onnx.export(module.eval(), tuple(inputs.values()), str(path), dynamo=False, opset_version=opset,
                          training=torch.onnx.TrainingMode.PRESERVE,  # as it is, norms are not folded into weights
                          input_names=list(inputs), output_names=[output], do_constant_folding=False,
                          dynamic_axes={name: of for name, of in axes.items() if name in inputs})
    graph = onnx.load(str(path))
    for node in graph.graph.node:
        if node.op_type == "Transpose":   # of `movedim` the exporter leaves axes that count from the end
            [order] = node.attribute
            order.ints[:] = [axis % len(order.ints) for axis in order.ints]
    _weights_outside(graph.graph, weights, prefix)
    write_bytes(path, graph.SerializeToString(deterministic=True))


def _weights_outside(graph: Any, weights: Path, prefix: str) -> None:
    """Let the initializers that lie in a safetensors file be read from there; float16 ones are cast when loaded.

    Format: https://github.com/huggingface/safetensors, 8 bytes with the length of the header, the header as JSON, data.
    """
    from onnx import TensorProto, helper

    with weights.open("rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    casts = []
    for tensor in graph.initializer:
        entry = header.get(tensor.name.removeprefix(prefix))
        if entry is None:
            continue
        start, stop = entry["data_offsets"]
        name, kind = tensor.name.removeprefix(prefix), STORED_TYPES[entry["dtype"]]
        consumed = tensor.name
        tensor.Clear()
        tensor.name = name if kind == TensorProto.FLOAT else f"{name}.stored"
        tensor.data_type, tensor.data_location = kind, TensorProto.EXTERNAL
        tensor.dims.extend(entry["shape"])
        for key, value in (("location", weights.name), ("offset", 8 + length + start), ("length", stop - start)):
            tensor.external_data.add(key=key, value=str(value))
        if tensor.name != consumed:
            casts.append(helper.make_node("Cast", [tensor.name], [consumed], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
