"""The same network through every runtime that the spec has, on the processor. Arguments: the runtimes."""

import sys

from common import batch, compare, measure, onnx_bytes, reference, torch_module

runtimes = sys.argv[1:]
x = batch()
results, medians = {}, {}


def take(name, run):
    results[name], medians[name] = measure(name, run)


take("numpy", lambda: reference(x))
if "torch" in runtimes:
    import torch

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    module, example = torch_module(), torch.from_numpy(x)
    with torch.inference_mode():
        take("torch", lambda: module(example).numpy())
    with torch.no_grad():
        traced = torch.jit.freeze(torch.jit.trace(module, example))
        take("torchscript", lambda: traced(example).numpy())
if "onnxruntime" in runtimes or "openvino" in runtimes:
    network = onnx_bytes("torch" in runtimes)
if "onnxruntime" in runtimes:
    import onnxruntime

    print(f"onnxruntime {onnxruntime.__version__}, {', '.join(onnxruntime.get_available_providers())}")
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    take("onnxruntime", lambda: session.run(None, {"x": x})[0])
if "openvino" in runtimes:
    import openvino

    print(f"openvino {openvino.__version__}")
    core = openvino.Core()
    # On processors with bfloat16 it would take that, and be less exact than the tolerance.
    hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(network), "CPU", hints)
    take("openvino", lambda: compiled([x])[0])
compare(results)
if medians.get("openvino", 0) > medians.get("torchscript", float("inf")):
    print("warning: OpenVINO is slower here than TorchScript")
