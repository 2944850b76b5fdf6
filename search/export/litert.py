"""LiteRT files (`.tflite`), float32 and INT8: graphs written down directly, quantised here, run by their own runtime.

INT8 follows the LiteRT quantisation specification: asymmetric int8 activations, symmetric int8 kernels with one
scale each, int32 biases. `docs/measurements/export.md` has the measurements behind it. Nothing is drawn at random:
the same network and training samples give the same bytes.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.samples import Images, SearchData
from fewest.search.export.layers import ONE, ZERO, Layer, Stack, labels_of, optional, stack_of
from fewest.search.settings.keras_settings import keras

__all__ = ["PACKAGES", "run", "write_float", "write_int8"]

PACKAGES: Final = ("flatbuffers", "ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated")
"""Optional modules that writing and running these files needs."""

INT8_TRIM_PERCENT: Final = 0.1
"""Share of calibration values beyond either end of a layer's INT8 range: outliers cost the rest."""


class _Quantization(NamedTuple):
    """`real = scale * (stored - zero_point)`."""

    scale: float
    zero_point: int

    def store(self, real: NDArray[Any], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
        """Real numbers as integers of `dtype`, rounded, cut off at its ends."""
        limits = np.iinfo(dtype)
        stored: NDArray[Any] = np.clip(np.rint(real / self.scale) + self.zero_point, limits.min, limits.max)
        return stored.astype(dtype)


PIXELS_UINT8: Final = _Quantization(1.0, 0)
PIXELS_INT8: Final = _Quantization(1.0, -128)
"""Raw pixels stand for themselves, exactly, however bright the brightest is."""

FIXED_INT8: Final = {
    "softmax": _Quantization(1 / 256, -128),
    "sigmoid": _Quantization(1 / 256, -128),
    "tanh": _Quantization(1 / 128, 0),
}
"""Outputs whose range is known beforehand; the LiteRT specification fixes these scales."""


class _LiteRTGraph:
    """A LiteRT model under construction: tensors are numbered, operators run in the order they are added."""

    def __init__(self) -> None:
        self._schema = optional("ai_edge_litert.schema_py_generated")
        self._codes: dict[tuple[str, int], int] = {}
        self._model = self._schema.ModelT()
        self._model.version = 3
        self._model.description = "fewest"
        self._model.operatorCodes = []
        self._model.buffers = [self._schema.BufferT()]  # buffer 0 means: no constant
        self._graph = self._schema.SubGraphT()
        self._graph.name = "fewest"
        self._graph.tensors = []
        self._graph.operators = []
        self._model.subgraphs = [self._graph]

    def tensor(
        self,
        name: str,
        shape: Sequence[int] | NDArray[np.int32],
        dtype: Any,
        quantization: _Quantization | None = None,
        constant: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, with its value where it is constant; returns its number."""
        tensor = self._schema.TensorT()
        tensor.name = name
        tensor.shape = np.array(shape, np.int32)
        tensor.type = getattr(self._schema.TensorType, np.dtype(dtype).name.upper())
        tensor.buffer = 0
        if constant is not None:
            buffer = self._schema.BufferT()
            little_endian = np.ascontiguousarray(constant, np.dtype(dtype).newbyteorder("<"))
            buffer.data = np.frombuffer(little_endian.tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        if quantization is not None:
            tensor.quantization = self._schema.QuantizationParametersT()
            tensor.quantization.scale = np.array([quantization.scale], np.float32)
            tensor.quantization.zeroPoint = np.array([quantization.zero_point], np.int64)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def constant(self, name: str, value: NDArray[Any], quantization: _Quantization | None = None) -> int:
        """Add a constant tensor; returns its number."""
        return self.tensor(name, value.shape, value.dtype, quantization, value)

    def operator(self, code: str, inputs: Sequence[int], output: int, *, version: int = 1, **options: Any) -> int:
        """Add the builtin operator `code` with its options; returns `output`."""
        operator = self._schema.OperatorT()
        operator.opcodeIndex = self._code(code, version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        title = "".join(word.capitalize() for word in code.split("_")) + "Options"
        if options:
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, title)
            operator.builtinOptions = getattr(self._schema, title + "T")()
            for name, value in options.items():
                setattr(operator.builtinOptions, name, value)
        self._graph.operators.append(operator)
        return output

    def serialize(self, source: int, target: int) -> bytes:
        """Return the finished file, from the input tensor `source` to the output tensor `target`."""
        self._graph.inputs = np.array([source], np.int32)
        self._graph.outputs = np.array([target], np.int32)
        builder = optional("flatbuffers").Builder(1024)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _code(self, code: str, version: int) -> int:
        if (code, version) not in self._codes:
            entry = self._schema.OperatorCodeT()
            entry.builtinCode = getattr(self._schema.BuiltinOperator, code)
            entry.deprecatedBuiltinCode = entry.builtinCode  # where readers before 2020 look
            entry.version = version
            self._codes[code, version] = len(self._codes)
            self._model.operatorCodes.append(entry)
        return self._codes[code, version]

    def reshape(self, source: int, n_features: int, dtype: Any, quantization: _Quantization | None) -> int:
        """Flatten one sample."""
        shape = np.array([1, n_features], np.int32)
        target = self.tensor("features", shape, dtype, quantization)
        return self.operator("RESHAPE", [source, self.constant("shape", shape)], target, newShape=shape)

    def rescale(self, source: int, stack: Stack) -> int:
        """Float arithmetic of the rescaling layer on a float32 sample."""
        shape = (1, *stack.input_shape)
        steps = (("MUL", "scale", stack.scale, 1), ("ADD", "offset", stack.offset, 0))
        for code, name, value, identity in steps:
            if np.any(value != identity):
                target = self.tensor(f"after_{name}", shape, np.float32)
                operands = [source, self.constant(name, value)]
                source = self.operator(code, operands, target, fusedActivationFunction=0)
        return source

    def dense(
        self,
        source: int,
        layer: Layer,
        index: int,
        dtype: Any,
        constants: tuple[int, int],
        quantizations: tuple[_Quantization | None, _Quantization | None] = (None, None),
    ) -> int:
        """Add a dense layer; relu is fused into it, any other activation is an operator behind it.

        Args:
            source: The tensor that comes in.
            layer: Gives the width and the activation.
            index: Counted from 0; names the tensors.
            dtype: Of what goes out, float32 or int8.
            constants: Numbers of the kernel and bias tensors.
            quantizations: Of the sums and of what the activation makes of them; None where float.
        """
        shape, quantized = (1, len(layer.bias)), dtype == np.int8
        fused = self._schema.ActivationFunctionType.RELU if layer.activation == "relu" else 0
        sums = self.operator(
            "FULLY_CONNECTED",
            [source, *constants],
            self.tensor(f"sum_{index}", shape, dtype, quantizations[0]),
            version=4 if quantized else 1,
            fusedActivationFunction=fused,
        )
        if fused:
            return sums
        code = {"softmax": "SOFTMAX", "sigmoid": "LOGISTIC", "tanh": "TANH"}[layer.activation]
        name = "probabilities" if layer.activation == "softmax" else f"hidden_{index}"
        options = {"beta": 1.0} if code == "SOFTMAX" else {}
        target = self.tensor(name, shape, dtype, quantizations[1])
        return self.operator(code, [sums], target, version=2 if quantized else 1, **options)


def write_float(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Float32 arithmetic throughout, in Keras's order."""
    graph, stack = _LiteRTGraph(), stack_of(network)
    shape = (1, *stack.input_shape)
    if data.x_train.dtype == np.uint8:  # CAST would say it plainer, but LiteRT Micro has none from uint8
        sample = graph.tensor("sample", shape, np.uint8, PIXELS_UINT8)
        hidden = graph.operator("DEQUANTIZE", [sample], graph.tensor("number", shape, np.float32))
    else:
        sample = hidden = graph.tensor("sample", shape, np.float32)
    hidden = graph.reshape(graph.rescale(hidden, stack), data.n_features, np.float32, None)
    for index, layer in enumerate(stack.layers):
        kernel = graph.constant(f"kernel_{index}", layer.kernel.T)
        hidden = graph.dense(hidden, layer, index, np.float32, (kernel, graph.constant(f"bias_{index}", layer.bias)))
    path.write_bytes(graph.serialize(sample, hidden))


def write_int8(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Integer arithmetic from the pixels to the probabilities; float32 features are rescaled in float first.

    Pixels are integers as they come: the rescaling is folded into the first layer. Features may differ in
    size by orders of magnitude, which one integer scale could not hold, so they are quantised once rescaled.
    """
    graph, stack = _LiteRTGraph(), stack_of(network)
    shape = (1, *stack.input_shape)
    if data.x_train.dtype == np.uint8:
        stack = _folded(stack)
        activations, stored = data.x_train.reshape(len(data.x_train), -1).astype(np.float32), PIXELS_INT8
        sample = real = graph.tensor("sample", shape, np.uint8, PIXELS_UINT8)
    else:
        scaled = data.x_train * stack.scale + stack.offset
        activations, stored = scaled.reshape(len(scaled), -1), _range_of(scaled, trim=0.0)
        sample = graph.tensor("sample", shape, np.float32)
        real = graph.rescale(sample, stack)
    hidden = graph.operator("QUANTIZE", [real], graph.tensor("stored", shape, np.int8, stored))
    hidden = graph.reshape(hidden, data.n_features, np.int8, stored)
    for index, layer in enumerate(stack.layers):
        sums, activations = _forward(layer, activations)
        before = _calibrated(layer.activation, sums)
        after = FIXED_INT8.get(layer.activation, before)
        constants = _integer_constants(graph, layer, index, stored)
        hidden = graph.dense(hidden, layer, index, np.int8, constants, (before, after))
        stored = after
    path.write_bytes(graph.serialize(sample, hidden))


def _integer_constants(graph: _LiteRTGraph, layer: Layer, index: int, source: _Quantization) -> tuple[int, int]:
    """Add a layer's kernel, int8 `(fan_out, fan_in)`, and bias, int32 in units of input times kernel."""
    kernel_stored = _Quantization(float(np.abs(layer.kernel).max()) / 127 or 1.0, 0)
    bias_stored = _Quantization(source.scale * kernel_stored.scale, 0)
    kernel = kernel_stored.store(layer.kernel.T, np.int8)
    bias = bias_stored.store(layer.bias, np.int32)
    return (
        graph.constant(f"kernel_{index}", kernel, kernel_stored),
        graph.constant(f"bias_{index}", bias, bias_stored),
    )


def _folded(stack: Stack) -> Stack:
    """Fold the rescaling into the first kernel and bias; in float64, rounded once."""
    first = stack.layers[0]
    kernel = first.kernel.astype(np.float64)
    scale = np.broadcast_to(stack.scale, stack.input_shape).reshape(-1, 1)
    offset = np.broadcast_to(stack.offset, stack.input_shape).reshape(-1)
    folded = first._replace(
        kernel=(kernel * scale).astype(np.float32), bias=(first.bias + offset @ kernel).astype(np.float32)
    )
    return Stack(stack.input_shape, ONE, ZERO, (folded, *stack.layers[1:]))


def _forward(layer: Layer, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a layer's weighted sums for samples `(n, fan_in)`, and its activations."""
    sums = x @ layer.kernel + layer.bias
    match layer.activation:
        case "relu":
            return sums, np.maximum(sums, 0)
        case "tanh":
            return sums, np.tanh(sums)
        case "sigmoid":
            return sums, np.asarray(0.5 + 0.5 * np.tanh(0.5 * sums), np.float32)
        case _:
            return sums, sums  # softmax ends a network: nothing reads it


def _calibrated(activation: str, sums: NDArray[np.float32]) -> _Quantization:
    """Return the int8 quantisation of a layer's weighted sums, after relu where that is fused in.

    Sums before softmax matter only near the highest of their sample: one that lies ln 256 below it has less
    than one step of the output's probability, so the range need not reach further down than that.

    Args:
        activation: What follows the sums.
        sums: Of the training samples, `(n, width)`.
    """
    if activation == "relu":
        return _range_of(np.maximum(sums, 0))
    if activation == "softmax":
        floor = np.percentile(sums.max(axis=1), INT8_TRIM_PERCENT) - math.log(256)
        return _range_of(np.maximum(sums, np.float32(floor)))
    return _range_of(sums)


def _range_of(values: NDArray[np.float32], trim: float = INT8_TRIM_PERCENT) -> _Quantization:
    """Return the int8 quantisation that holds all values but `trim` percent at either end, and 0 exactly."""
    low, high = (float(end) for end in np.percentile(values, [trim, 100.0 - trim]))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return _Quantization(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def run(path: Path, x: Images) -> NDArray[np.intp]:
    """Sample by sample, as a device would; without XNNPACK, which announces itself on stderr."""
    interpreters = optional("ai_edge_litert.interpreter")
    plain = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = interpreters.Interpreter(str(path), experimental_op_resolver_type=plain, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    scores = []
    for sample in x:
        interpreter.set_tensor(source, sample[np.newaxis])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(target))
    return labels_of(scores)
