"""What the suites with networks share: one network, its weights made on the spot, and ways to run it."""

import statistics
import sys
import time

import numpy

SIZES = (1024, 2048, 1024)
BATCH = 256
TOLERANCE = {"rtol": 1e-3, "atol": 1e-4}


def layers():
    """Weights and biases of a network of three layers, the same every time."""
    random = numpy.random.default_rng(7)
    shapes = [(SIZES[0], SIZES[1]), (SIZES[1], SIZES[1]), (SIZES[1], SIZES[2])]
    return [
        ((random.standard_normal(s) / s[0] ** 0.5).astype(numpy.float32), random.standard_normal(s[1]).astype(numpy.float32))
        for s in shapes
    ]


def batch():
    return numpy.random.default_rng(8).standard_normal((BATCH, SIZES[0])).astype(numpy.float32)


def reference(x):
    for place, (weight, bias) in enumerate(layers()):
        x = x @ weight + bias
        if place < 2:
            x = numpy.maximum(x, 0)
    return x


def torch_module():
    import torch

    parts = []
    for place, (weight, bias) in enumerate(layers()):
        linear = torch.nn.Linear(*weight.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
        parts += [linear, torch.nn.ReLU()] if place < 2 else [linear]
    return torch.nn.Sequential(*parts).eval()


def onnx_bytes(with_torch):
    """The network in ONNX: exported from torch where there is torch, else written down."""
    if with_torch:
        import io

        import torch

        out = io.BytesIO()
        example = torch.from_numpy(batch())
        torch.onnx.export(torch_module(), example, out, input_names=["x"], output_names=["y"], dynamo=False)
        return out.getvalue()
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights, last = [], [], "x"
    for place, (weight, bias) in enumerate(layers()):
        weights += [numpy_helper.from_array(weight, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        nodes.append(helper.make_node("Gemm", [last, f"w{place}", f"b{place}"], [f"g{place}" if place < 2 else "y"]))
        if place < 2:
            last = f"r{place}"
            nodes.append(helper.make_node("Relu", [f"g{place}"], [last]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [BATCH, SIZES[0]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [BATCH, SIZES[2]])
    model = helper.make_model(helper.make_graph(nodes, "mlp", [x], [y], weights), opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


def measure(name, run, rounds=10):
    """Runs once to warm up, then times; gives the result."""
    result = run()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - begin))
    times.sort()
    p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
    print(f"{name:12} median {statistics.median(times):8.2f} ms   p95 {p95:8.2f} ms")
    return result, statistics.median(times)


def compare(results):
    """All results are the first one, within the tolerance."""
    (first, expected), *others = results.items()
    for name, result in others:
        if not numpy.allclose(result, expected, **TOLERANCE):
            worst = float(numpy.abs(result - expected).max())
            sys.exit(f"{name} and {first} differ by up to {worst:.3g}")
    print(f"agree within rtol {TOLERANCE['rtol']}, atol {TOLERANCE['atol']}: {', '.join(results)}")
