"""A trained network as a file that other programs run: Keras, LiteRT (float32 or INT8) or ONNX, checked.

Every file takes raw samples as the data set holds them (uint8 pixels or float32 features; scaling is inside)
and returns class probabilities:

| format | samples at once | out |
|---|---|---|
| `keras` | any number | float32 |
| `onnx` | any number | float32 |
| `tflite` | 1 | float32 |
| `tflite-int8` | 1 | int8 `q`; the probability is `(q + 128) / 256` |

A network of this project is a few dense layers, so LiteRT and ONNX graphs are written down directly rather
than through a converter; `docs/decisions/0007-export.md` has the measurements behind that. INT8 follows the
LiteRT quantisation specification: asymmetric int8 activations, symmetric int8 kernels with one scale each,
int32 biases. Nothing is drawn at random: the same network gives the same bytes, but for `.keras`, whose
archive holds its date.
"""

import contextlib
import importlib
import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from search.data import Images, SearchData, TestData
from storage.errors import HowmanyError, MisuseError

__all__ = ["FORMATS", "ExportError", "ExportReport", "export", "format_of"]

DEFAULT_TOLERANCE: Final = 0.005
"""Test accuracy that an exported file may lose: half a percentage point."""

ONNX_OPSET: Final = 13
ONNX_IR_VERSION: Final = 7
"""Old enough for any runtime since 2020, new enough for a softmax over the last axis only."""

INT8_TRIM_PERCENT: Final = 0.1
"""Share of calibration values beyond either end of a layer's INT8 range: outliers cost the rest."""

PREDICT_BATCH: Final = 4096
"""Samples scored at once; bounds memory, changes no result."""


class ExportError(HowmanyError, ValueError):
    """The network cannot be had in this format, or the file that came out is worse than it may be."""


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what running it showed.

    Attributes:
        path: The file.
        format: One of `FORMATS`.
        bytes: Size of the file.
        parameters: Trainable weights and biases, output layer included.
        accuracy_before: Share of the test set that the Keras network labels right.
        accuracy_after: The same for the file, run by the format's own runtime.
        labels_changed: Test samples that the file labels otherwise than the network, right or wrong.
    """

    path: Path
    format: str
    bytes: int
    parameters: int
    accuracy_before: float
    accuracy_after: float
    labels_changed: int


class _Layer(NamedTuple):
    """One dense layer: kernel float32 `(fan_in, fan_out)`, bias float32 `(fan_out,)`."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str


ONE: Final = np.ones((), np.float32)
ZERO: Final = np.zeros((), np.float32)


@dataclass(frozen=True, eq=False)
class _Stack:
    """A network's arithmetic: `x * scale + offset`, flattened, then dense layers, the last with softmax."""

    input_shape: tuple[int, ...]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]
    layers: tuple[_Layer, ...]


class _Format(NamedTuple):
    """How a format is recognised, written and run.

    Attributes:
        suffix: How its files end.
        packages: Optional modules it needs.
        write: Puts a network into a new file, calibrated on training samples where the format asks for it.
        run: The labels a file gives to samples: integer `(samples,)`.
    """

    suffix: str
    packages: tuple[str, ...]
    write: Callable[[keras.Sequential, Path, SearchData], None]
    run: Callable[[Path, Images], NDArray[np.intp]]


def export(
    network: keras.Sequential,
    fmt: str | None,
    path: str | os.PathLike[str],
    data: SearchData,
    test: TestData,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
) -> ExportReport:
    """Write a network to a file, run the file on the test set, and keep it if it is as good as the network.

    The file appears under its name complete and checked, or not at all; until then an older one stays.

    Args:
        network: As `search.network.build` makes it, trained. Compiled or not makes no difference to the file.
        fmt: One of `FORMATS`; None takes the one that `path` ends like.
        path: The file to write; must end like the format's files do. Its folder must exist.
        data: Gives INT8 its calibration samples, the training samples and no others.
        test: What both the network and the file are scored on.
        tolerance: Accuracy that may be lost, 0 to 1.

    Raises:
        MisuseError: Unknown format, a name that does not fit it, a tolerance out of range, or a path that
            cannot be written.
        ExportError: A package is missing, the network has layers that the format cannot hold or weights
            that are not finite, or the file loses more than `tolerance`.
    """
    path = Path(path)
    name = format_of(path) if fmt is None else _checked_format(fmt, path)
    if not 0.0 <= tolerance <= 1.0:
        raise MisuseError(f"`tolerance` must be from 0 to 1, got {tolerance}.")
    form = FORMATS[name]
    for package in form.packages:
        _optional(package)
    _require_finite(network)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial{form.suffix}")
    try:
        _reserve(partial, path)
        form.write(network, partial, data)
        report = _checked(network, name, path, partial, test, tolerance)
        partial.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise MisuseError(f"'{path}' must be a file that can be written, got: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
    return report


def format_of(path: str | os.PathLike[str]) -> str:
    """The format a file's name asks for; `.int8.tflite` asks for INT8.

    Raises:
        MisuseError: No format's files end so.

    Example:
        >>> format_of("small.onnx"), format_of("small.tflite"), format_of("small.int8.tflite")
        ('onnx', 'tflite', 'tflite-int8')
    """
    name = Path(path).name.lower()
    if name.endswith(".int8.tflite"):
        return "tflite-int8"
    for fmt, form in FORMATS.items():
        if name.endswith(form.suffix):
            return fmt
    endings = ", ".join([*dict.fromkeys(form.suffix for form in FORMATS.values()), ".int8.tflite"])
    raise MisuseError(f"The output file must end in one of {endings}, got '{path}'.")


# --- Checks ----------------------------------------------------------------------------------------------


def _checked_format(fmt: str, path: Path) -> str:
    if fmt not in FORMATS:
        raise MisuseError(f"`format` must be one of {', '.join(FORMATS)}, got '{fmt}'.")
    if path.suffix.lower() != FORMATS[fmt].suffix:
        raise MisuseError(f"A file in format {fmt} must end in {FORMATS[fmt].suffix}, got '{path}'.")
    return fmt


def _reserve(partial: Path, path: Path) -> None:
    """Fail now, with the reason, where nothing can be written; Keras would say less, later."""
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    partial.unlink(missing_ok=True)
    partial.touch()


def _require_finite(network: keras.Sequential) -> None:
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise ExportError("A network must have finite weights to be exported; this one's training diverged.")


def _checked(
    network: keras.Sequential, name: str, path: Path, partial: Path, test: TestData, tolerance: float
) -> ExportReport:
    """Run the file written to `partial` against the network it came from."""
    before = _keras_labels(network, test.x)
    after = FORMATS[name].run(partial, test.x)
    report = ExportReport(
        path=path,
        format=name,
        bytes=partial.stat().st_size,
        parameters=sum(math.prod(weight.shape) for weight in network.trainable_weights),
        accuracy_before=float(np.mean(before == test.y)),
        accuracy_after=float(np.mean(after == test.y)),
        labels_changed=int(np.sum(before != after)),
    )
    # Both are shares of the same samples: a loss of exactly the tolerance must not fail by its last bit.
    if report.accuracy_before - report.accuracy_after > tolerance + 1e-9:
        raise ExportError(
            f"An exported file must not lose more than {tolerance:g} test accuracy; as {name} it fell from"
            f" {report.accuracy_before:.4f} to {report.accuracy_after:.4f}. Nothing was written: allow more"
            " with `tolerance`, or choose another format."
        )
    return report


def _optional(module: str) -> Any:
    """An optional module, or one line that says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExportError(
            f"This format needs '{module}', which cannot be imported. Run `pip install howmany[export]`."
        ) from error


def _stack_of(network: keras.Sequential) -> _Stack:
    """Read a network's layers; refuse any that `search.network.build` does not make."""
    scale, offset = ONE, ZERO
    layers: list[_Layer] = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Rescaling) and not layers:
            scale, offset = np.asarray(layer.scale, np.float32), np.asarray(layer.offset, np.float32)
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            layers.append(_Layer(kernel, bias, layer.activation.__name__))
        elif not isinstance(layer, keras.layers.Flatten):
            raise ExportError(
                f"This format holds rescaling and dense layers only, got {type(layer).__name__}."
                " Export as .keras instead."
            )
    hidden = {layer.activation for layer in layers[:-1]}
    if not layers or layers[-1].activation != "softmax" or not hidden <= {"relu", "tanh", "sigmoid"}:
        raise ExportError(
            "This format holds hidden layers with relu, tanh or sigmoid and an output layer with softmax,"
            f" got {', '.join(layer.activation for layer in layers) or 'no layer'}. Export as .keras instead."
        )
    return _Stack(tuple(network.input_shape[1:]), scale, offset, tuple(layers))


# --- Keras -----------------------------------------------------------------------------------------------


def _write_keras(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Save without optimizer, loss and schedule: any Keras 3 loads the file, with nothing of ours there."""
    bare = keras.Sequential.from_config(network.get_config())  # clone_model would compile it too
    bare.set_weights(network.get_weights())
    with warnings.catch_warnings():
        # Keras 3.15 reads TensorFlow 2.21 variables in a way that NumPy 2 deprecates.
        warnings.filterwarnings(
            "ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning
        )
        bare.save(path)


def _run_keras(path: Path, x: Images) -> NDArray[np.intp]:
    return _keras_labels(keras.models.load_model(path, compile=False), x)


def _keras_labels(network: keras.Sequential, x: Images) -> NDArray[np.intp]:
    chunks = (x[start : start + PREDICT_BATCH] for start in range(0, len(x), PREDICT_BATCH))
    return _labels([keras.ops.convert_to_numpy(network(chunk, training=False)) for chunk in chunks])


def _labels(scores: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """The class of the highest score in each row; of equal ones the first."""
    labels: NDArray[np.intp] = np.concatenate(scores).argmax(axis=1)
    return labels


# --- ONNX ------------------------------------------------------------------------------------------------


def _write_onnx(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Cast, Mul, Add, Flatten, then Gemm and its activation for each layer."""
    onnx = _optional("onnx")
    helper, stack = onnx.helper, _stack_of(network)
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
        "howmany",
        [helper.make_tensor_value_info("sample", element, ["batch", *stack.input_shape])],
        [helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["batch", *outputs])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", ONNX_OPSET)
    model = helper.make_model(graph, producer_name="howmany", opset_imports=[opset])
    model.ir_version = ONNX_IR_VERSION
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _run_onnx(path: Path, x: Images) -> NDArray[np.intp]:
    runtime = _optional("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    chunks = (x[start : start + PREDICT_BATCH] for start in range(0, len(x), PREDICT_BATCH))
    return _labels([session.run(None, {"sample": chunk})[0] for chunk in chunks])


# --- LiteRT ----------------------------------------------------------------------------------------------


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
        self._schema = _optional("ai_edge_litert.schema_py_generated")
        self._codes: dict[tuple[str, int], int] = {}
        self._model = self._schema.ModelT()
        self._model.version = 3
        self._model.description = "howmany"
        self._model.operatorCodes = []
        self._model.buffers = [self._schema.BufferT()]  # buffer 0 means: no constant
        self._graph = self._schema.SubGraphT()
        self._graph.name = "howmany"
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

    def operator(
        self, code: str, inputs: Sequence[int], output: int, *, version: int = 1, **options: Any
    ) -> int:
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
        """The finished file, from the input tensor `source` to the output tensor `target`."""
        self._graph.inputs = np.array([source], np.int32)
        self._graph.outputs = np.array([target], np.int32)
        builder = _optional("flatbuffers").Builder(1024)
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

    def rescale(self, source: int, stack: _Stack) -> int:
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
        layer: _Layer,
        index: int,
        dtype: Any,
        constants: tuple[int, int],
        quantizations: tuple[_Quantization | None, _Quantization | None] = (None, None),
    ) -> int:
        """A dense layer; relu is fused into it, any other activation is an operator behind it.

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


def _write_tflite(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Float32 arithmetic throughout, in Keras's order."""
    graph, stack = _LiteRTGraph(), _stack_of(network)
    shape = (1, *stack.input_shape)
    if data.x_train.dtype == np.uint8:  # CAST would say it plainer, but LiteRT Micro has none from uint8
        sample = graph.tensor("sample", shape, np.uint8, PIXELS_UINT8)
        hidden = graph.operator("DEQUANTIZE", [sample], graph.tensor("number", shape, np.float32))
    else:
        sample = hidden = graph.tensor("sample", shape, np.float32)
    hidden = graph.reshape(graph.rescale(hidden, stack), data.n_features, np.float32, None)
    for index, layer in enumerate(stack.layers):
        kernel = graph.constant(f"kernel_{index}", layer.kernel.T)
        hidden = graph.dense(
            hidden, layer, index, np.float32, (kernel, graph.constant(f"bias_{index}", layer.bias))
        )
    path.write_bytes(graph.serialize(sample, hidden))


def _write_tflite_int8(network: keras.Sequential, path: Path, data: SearchData) -> None:
    """Integer arithmetic from the pixels to the probabilities; float32 features are rescaled in float first.

    Pixels are integers as they come: the rescaling is folded into the first layer. Features may differ in
    size by orders of magnitude, which one integer scale could not hold, so they are quantised once rescaled.
    """
    graph, stack = _LiteRTGraph(), _stack_of(network)
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


def _integer_constants(
    graph: _LiteRTGraph, layer: _Layer, index: int, source: _Quantization
) -> tuple[int, int]:
    """Add a layer's kernel, int8 `(fan_out, fan_in)`, and bias, int32 in units of input times kernel."""
    kernel_stored = _Quantization(float(np.abs(layer.kernel).max()) / 127 or 1.0, 0)
    bias_stored = _Quantization(source.scale * kernel_stored.scale, 0)
    kernel = kernel_stored.store(layer.kernel.T, np.int8)
    bias = bias_stored.store(layer.bias, np.int32)
    return (
        graph.constant(f"kernel_{index}", kernel, kernel_stored),
        graph.constant(f"bias_{index}", bias, bias_stored),
    )


def _folded(stack: _Stack) -> _Stack:
    """The same network with the rescaling done by its first kernel and bias; in float64, rounded once."""
    first = stack.layers[0]
    kernel = first.kernel.astype(np.float64)
    scale = np.broadcast_to(stack.scale, stack.input_shape).reshape(-1, 1)
    offset = np.broadcast_to(stack.offset, stack.input_shape).reshape(-1)
    folded = first._replace(
        kernel=(kernel * scale).astype(np.float32), bias=(first.bias + offset @ kernel).astype(np.float32)
    )
    return _Stack(stack.input_shape, ONE, ZERO, (folded, *stack.layers[1:]))


def _forward(layer: _Layer, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A layer's weighted sums for samples `(n, fan_in)`, and what its activation makes of them."""
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
    """The int8 quantisation of a layer's weighted sums, after relu where that is fused in.

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
    """The int8 quantisation that holds all values but `trim` percent at either end, and 0 exactly."""
    low, high = (float(end) for end in np.percentile(values, [trim, 100.0 - trim]))
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return _Quantization(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def _run_tflite(path: Path, x: Images) -> NDArray[np.intp]:
    """Sample by sample, as a device would; without XNNPACK, which announces itself on stderr."""
    interpreters = _optional("ai_edge_litert.interpreter")
    plain = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = interpreters.Interpreter(str(path), experimental_op_resolver_type=plain, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    scores = []
    for sample in x:
        interpreter.set_tensor(source, sample[np.newaxis])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(target))
    return _labels(scores)


_LITERT: Final = ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated", "flatbuffers")

FORMATS: Final[dict[str, _Format]] = {
    "keras": _Format(".keras", (), _write_keras, _run_keras),
    "tflite": _Format(".tflite", _LITERT, _write_tflite, _run_tflite),
    "tflite-int8": _Format(".tflite", _LITERT, _write_tflite_int8, _run_tflite),
    "onnx": _Format(".onnx", ("onnx", "onnxruntime"), _write_onnx, _run_onnx),
}
"""Every format, by name."""
