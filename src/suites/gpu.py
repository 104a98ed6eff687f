"""The GPU as torch sees it, and the same network through TorchScript and, where the spec has it, TensorRT.
Arguments: the runtimes."""

import sys

import numpy
import torch

from common import batch, measure, onnx_bytes, reference, torch_module

runtimes = sys.argv[1:]
if not torch.cuda.is_available():
    sys.exit(f"torch {torch.__version__} for CUDA {torch.version.cuda} sees no GPU; see whether the driver is new enough")
for number in range(torch.cuda.device_count()):
    major, minor = torch.cuda.get_device_capability(number)
    print(f"{torch.cuda.get_device_name(number)}, compute capability {major}.{minor}")
    if f"sm_{major}{minor}" not in torch.cuda.get_arch_list() and f"sm_{major}0" not in torch.cuda.get_arch_list():
        sys.exit(f"torch {torch.__version__} is not built for this GPU; it is built for {torch.cuda.get_arch_list()}")
print(f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
torch.backends.cuda.matmul.allow_tf32 = False

x = batch()
expected = reference(x)
example = torch.from_numpy(x).cuda()
module = torch_module().cuda()
with torch.no_grad():
    traced = torch.jit.freeze(torch.jit.trace(module, example))


def on_gpu(run):
    def finished():
        with torch.inference_mode():
            result = run()
        torch.cuda.synchronize()
        return result

    return finished


result, _ = measure("torchscript", on_gpu(lambda: traced(example)))
if not numpy.allclose(result.cpu().numpy(), expected, rtol=1e-3, atol=1e-3):
    sys.exit("TorchScript on the GPU differs from numpy")
if "tensorrt" in runtimes:
    import tensorrt

    logger = tensorrt.Logger(tensorrt.Logger.ERROR)
    builder = tensorrt.Builder(logger)
    network = builder.create_network(0)
    parser = tensorrt.OnnxParser(network, logger)
    if not parser.parse(onnx_bytes(True)):
        sys.exit(f"TensorRT cannot read the network: {parser.get_error(0)}")
    config = builder.create_builder_config()
    half = builder.platform_has_fast_fp16
    if half:
        config.set_flag(tensorrt.BuilderFlag.FP16)
    engine = tensorrt.Runtime(logger).deserialize_cuda_engine(builder.build_serialized_network(network, config))
    context = engine.create_execution_context()
    output = torch.empty_like(result)
    context.set_tensor_address("x", example.data_ptr())
    context.set_tensor_address("y", output.data_ptr())
    stream = torch.cuda.current_stream()

    def run():
        context.execute_async_v3(stream.cuda_stream)
        return output

    measure("tensorrt", on_gpu(run))
    # Half the bits, so a wider tolerance.
    tolerance = 5e-2 if half else 1e-3
    if not numpy.allclose(output.cpu().numpy(), expected, rtol=tolerance, atol=tolerance):
        sys.exit("TensorRT differs from numpy")
    print(f"tensorrt {tensorrt.__version__}, {'half' if half else 'single'} precision")
