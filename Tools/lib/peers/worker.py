"""One network in one runtime, warm, in a process of its own: says "ready", then answers every line of its input with the
milliseconds of one run and the peak of its resident memory in MB.

    worker.py PEER NETWORK [--size 512] [--batch 1] [--threads 2] [--cache FOLDER] [--profile]

PEER is one of PEERS below. --profile prints, instead, what the kinds of operators of an OpenVINO model cost.
"""
import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time

import export
import networks


def pytorch(network, size, batch, threads, folder):
    import torch
    torch.set_num_threads(threads)
    net, inputs = networks.load(network), networks.example(network, size, batch)

    def run():
        with torch.no_grad():
            net(*inputs)
    return run


def pytorch_gradient(network, size, batch, threads, folder, checkpointed=False):
    """Forward and backward through the noise network to the text states, the loss mean(output²)."""
    import torch
    torch.set_num_threads(threads)
    net, (latent, timestep, context) = networks.load("unet"), networks.example("unet", size, batch)
    if checkpointed:
        net.net.enable_gradient_checkpointing()
        net.train()  # no dropout in this network: this switches checkpointing on and nothing else
    context.requires_grad_(True)

    def run():
        context.grad = None
        net(latent, timestep, context).square().mean().backward()
    return run


def openvino(network, size, batch, threads, folder, kind="openvino", precision=None, profile=False):
    import numpy
    import openvino as ov
    core = ov.Core()
    model = core.read_model(export.export(folder, network, size, kind))
    inputs = {name: value.numpy() for name, value in zip(networks.INPUTS[network], networks.example(network, size, batch))}
    model.reshape({name: list(value.shape) for name, value in inputs.items()})
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    if profile:
        settings["PERF_COUNT"] = True
    compiled = core.compile_model(model, "CPU", settings)
    kept = compiled.get_property("INFERENCE_PRECISION_HINT")
    print(f"openvino {ov.__version__.split('-')[0]}, floats as {kept.get_type_name()}", file=sys.stderr)
    request = compiled.create_infer_request()
    inputs = {name: numpy.ascontiguousarray(value) for name, value in inputs.items()}
    del model
    if profile:
        return request, inputs
    return lambda: request.infer(inputs)


def onnxruntime(network, size, batch, threads, folder):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(export.export(folder, network, size, "onnx"), options, providers=["CPUExecutionProvider"])
    values = (value.numpy() for value in networks.example(network, size, batch))
    inputs = dict(zip(networks.INPUTS[network], values))
    return lambda: session.run(None, inputs)


def sdcpp(network, size, batch, threads, folder):
    """stable-diffusion.cpp's command makes pictures and nothing else: its own figure for a step, or a decoding, counts."""
    program = os.environ.get("SD_CLI")
    if not program:
        sys.exit("stable-diffusion.cpp: SD_CLI names no program: its command, sd or sd-cli, built for this processor")
    line = {"unet": r"sampling completed, taking ([\d.]+)s", "decoder": r"decode_first_stage completed, taking ([\d.]+)s",
            "text": r"get_learned_condition completed, taking (\d+) ms"}
    if network not in line:
        sys.exit(f"stable-diffusion.cpp: no {network} here")
    model = os.path.join(folder, "sd15.safetensors")
    here = os.path.dirname(os.path.abspath(__file__))
    if not os.path.exists(model):
        os.makedirs(folder, exist_ok=True)
        shapes = os.path.join(here, "../../../Tests/Fixtures/SingleFile/sd15-published.txt")
        subprocess.run(
            [sys.executable, os.path.join(here, "../random_single_file.py"), "safetensors", shapes, model], check=True)
    out = tempfile.mkdtemp()
    command = [program, "-M", "img_gen", "-m", model, "-p", "a photograph of a red bicycle", "-W", str(size), "-H",
               str(size), "--steps", "1", "--cfg-scale", "1" if batch == 1 else "7", "-t", str(threads), "-s", "1",
               "--sampling-method", "euler", "-o", os.path.join(out, "out.png"), "-v", "--type", "f16"]

    def run():
        text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        taken = float(re.search(line[network], text)[1])
        return taken / (1000 if network == "text" else 1)
    return run


PEERS = {
    "pytorch": pytorch,
    "pytorch-checkpointed": lambda *of: pytorch_gradient(*of, checkpointed=True),
    "openvino-int8": lambda *of, **options: openvino(*of, kind="int8", **options),
    "openvino": openvino,
    "openvino-fp32": lambda *of, **options: openvino(*of, precision="f32", **options),
    "onnxruntime": onnxruntime,
    "stable-diffusion.cpp": sdcpp,
}
TITLES = {
    "pytorch": "PyTorch, fp32", "pytorch-checkpointed": "PyTorch, fp32, gradient checkpointing",
    "openvino-int8": "OpenVINO, int8 static (NNCF)", "openvino": "OpenVINO, its default precision",
    "openvino-fp32": "OpenVINO, fp32", "onnxruntime": "onnxruntime, fp32",
    "stable-diffusion.cpp": "stable-diffusion.cpp, fp16",
}


def profile(peer, of):
    request, inputs = PEERS[peer](*of, profile=True)
    seconds, count = collections.Counter(), collections.Counter()
    for _ in range(2):
        request.infer(inputs)
    for one in request.profiling_info:
        key = (one.node_type, one.exec_type)
        seconds[key] += one.real_time.total_seconds()
        count[key] += 1
    whole = sum(seconds.values())
    print(f"{TITLES[peer]}: {whole:.3f} s in operators")
    for (kind, how), taken in seconds.most_common(24):
        print(f"  {kind:26} {how:30} {count[kind, how]:5} nodes {taken:8.3f} s {100 * taken / whole:5.1f} %")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("peer", choices=PEERS)
    arguments.add_argument("network", choices=networks.NAMES + ("gradient",))
    arguments.add_argument("--size", type=int, default=512)
    arguments.add_argument("--batch", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--cache", default="peers")
    arguments.add_argument("--profile", action="store_true")
    a = arguments.parse_args()
    of = (a.network, a.size, a.batch, a.threads, a.cache)
    if a.profile:
        return profile(a.peer, of)
    make = pytorch_gradient if (a.peer, a.network) == ("pytorch", "gradient") else PEERS[a.peer]
    run = make(*of)
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        own = run()
        seconds = own if isinstance(own, float) else time.perf_counter() - start
        with open("/proc/self/status") as status:
            peak = int(re.search(r"VmHWM:\s*(\d+)", status.read())[1]) * 1024 // 1_000_000
        print(f"{seconds * 1e3} {peak}", flush=True)


if __name__ == "__main__":
    main()
