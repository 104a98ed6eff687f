"""Runs an ONNX model that adds and multiplies, and compares with numpy."""

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper

assert onnx.__version__ and onnxruntime.__version__
a, b, c = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2, 2]) for n in "abc")
nodes = [helper.make_node("MatMul", ["a", "b"], ["ab"]), helper.make_node("Add", ["ab", "b"], ["c"])]
model = helper.make_model(helper.make_graph(nodes, "check", [a, b], [c]), opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
x, y = (numpy.random.default_rng(seed).random((2, 2), dtype=numpy.float32) for seed in (1, 2))
(result,) = session.run(None, {"a": x, "b": y})
assert numpy.allclose(result, x @ y + y, atol=1e-5), result

# The parts of the standard library that need libraries of the distribution.
import bz2, ctypes, curses, dbm.gnu, lzma, readline, sqlite3, ssl, uuid, zlib  # noqa: E401,E402,F401

import pip  # noqa: E402,F401
