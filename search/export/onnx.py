"""ONNX graphs, written down directly and run by ONNX Runtime."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.export.layers import labels_of, optional, stack_of
from fewest.search.settings.keras_settings import keras
from fewest.search.training.network import PREDICT_BATCH

__all__ = ["PACKAGES", "run", "write"]

PACKAGES: Final = ("onnx", "onnxruntime")
"""Optional modules that writing and running these files needs."""

ONNX_OPSET: Final = 13

ONNX_IR_VERSION: Final = 7
"""Old enough for any runtime since 2020, new enough for a softmax over the last axis only."""


def write(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Cast, Mul, Add, Flatten, then Gemm and its activation for each layer."""
    onnx = optional("onnx")
    helper, stack = onnx.helper, stack_of(network)
    element = onnx.TensorProto.UINT8 if data.x_train.dtype == np.uint8 else onnx.TensorProto.FLOAT
    constants = {"scale": stack.scale, "offset": stack.offset}
    nodes = [
        helper.make_node("Cast", ["sample"], ["number"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["number", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], ["shifted"]),
        helper.make_node("Flatten", ["shifted"], ["features"], axis=1),
    ]
    source = "features"
    for index, layer in enumerate(stack.layers):
        target = "probabilities" if index == len(stack.layers) - 1 else f"hidden_{index}"
        constants |= {f"kernel_{index}": layer.kernel, f"bias_{index}": layer.bias}
        nodes += [
            helper.make_node("Gemm", [source, f"kernel_{index}", f"bias_{index}"], [f"sum_{index}"]),
            helper.make_node(layer.activation.capitalize(), [f"sum_{index}"], [target]),
        ]
        source = target
    outputs = [len(stack.layers[-1].bias)]
    graph = helper.make_graph(
        nodes,
        "fewest",
        [helper.make_tensor_value_info("sample", element, ["batch", *stack.input_shape])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["batch", *outputs])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", ONNX_OPSET)
    model = helper.make_model(graph, producer_name="fewest", opset_imports=[opset])
    model.ir_version = ONNX_IR_VERSION
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def run(path: Path, x: Images) -> NDArray[np.intp]:
    """Return the labels that a file gives to samples: integer `(samples,)`."""
    runtime = optional("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    chunks = (x[start : start + PREDICT_BATCH] for start in range(0, len(x), PREDICT_BATCH))
    return labels_of([session.run(None, {"sample": chunk})[0] for chunk in chunks])
