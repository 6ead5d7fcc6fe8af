"""Writes the networks of networks.py for other runtimes, once: a file that is there is not made again.

    export.py FOLDER SIZE KIND…      KIND is NETWORK-openvino, NETWORK-int8 or NETWORK-onnx

    openvino   OpenVINO's own format, Float32
    int8       the same, weights and activations quantized by NNCF: post-training, two random samples, a scheme for
               transformers (`model_type`), without bias correction, as its documentation has it for such networks
    onnx       ONNX, opset 17, Float32

Takes minutes of processor time, and 10 GB of memory for the noise network.
"""
import os
import sys

import networks


def path(folder, network, size, kind):
    ending = {"openvino": "fp32.xml", "int8": "int8.xml", "onnx": "onnx"}[kind]
    return os.path.join(folder, f"{network}-{size}.{ending}")


def export_openvino(network, size, out):
    import openvino
    import torch
    inputs = networks.example(network, size)
    with torch.no_grad():
        model = openvino.convert_model(networks.load(network), example_input=inputs)
    for port, name, value in zip(model.inputs, networks.INPUTS[network], inputs):
        port.get_tensor().set_names({name})
        port.get_node().set_partial_shape(openvino.PartialShape([-1] + list(value.shape[1:])))
    model.validate_nodes_and_infer_types()
    openvino.save_model(model, out, compress_to_fp16=False)


def export_int8(network, size, out, source):
    import nncf
    import openvino
    import torch
    model = openvino.Core().read_model(source)
    inputs = networks.example(network, size)
    names = networks.INPUTS[network]
    model.reshape({name: list(value.shape) for name, value in zip(names, inputs)})
    samples = []
    for timestep in (1, 981):
        values = [value.numpy() for value in networks.example(network, size)]
        if network == "unet":
            values[1][:] = timestep
            values[0] = torch.randn(inputs[0].shape, generator=torch.Generator().manual_seed(timestep)).numpy()
        samples.append(dict(zip(names, values)))
    model = nncf.quantize(
        model, nncf.Dataset(samples), subset_size=len(samples), model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            disable_bias_correction=True,
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=-1)))
    model.reshape({name: [-1] + list(value.shape[1:]) for name, value in zip(names, inputs)})
    openvino.save_model(model, out, compress_to_fp16=False)


def export_onnx(network, size, out):
    import torch
    names = networks.INPUTS[network]
    with torch.no_grad():
        torch.onnx.export(
            networks.load(network), networks.example(network, size), out, input_names=list(names), output_names=["out"],
            dynamic_axes={name: {0: "batch"} for name in names}, opset_version=17, dynamo=False)


def export(folder, network, size, kind):
    """Where the file is; made if it is not there."""
    out = path(folder, network, size, kind)
    if os.path.exists(out):
        return out
    os.makedirs(folder, exist_ok=True)
    print(f"writing {out}", file=sys.stderr, flush=True)
    # Under another name, so that a file of that name is whole. Both formats may have a second file beside the first, by
    # a name that is written in it or follows from it.
    if kind == "onnx":
        export_onnx(network, size, out)
        return out
    draft = out.replace(".xml", ".draft.xml")
    if kind == "openvino":
        export_openvino(network, size, draft)
    else:
        export_int8(network, size, draft, export(folder, network, size, "openvino"))
    os.replace(draft.replace(".xml", ".bin"), out.replace(".xml", ".bin"))
    os.replace(draft, out)
    return out


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    for wish in sys.argv[3:]:
        network, _, kind = wish.partition("-")
        export(sys.argv[1], network, int(sys.argv[2]), kind)
