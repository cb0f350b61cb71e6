"""Exports as ONNX, for ONNX Runtime and whatever else reads it. Needs the extra `onnx`: tf2onnx and ONNX Runtime."""
import json

import tensorflow as tf

from tf2gan._version import __version__
from tf2gan.core import extras

OPSET = 17


def check(options, wanted, format="onnx"):
    """Raises UserError if ONNX is `wanted` for `format` and a package for it is missing."""
    if wanted:
        extras.check("onnx", f"--format {format}")


def convert(signature, loaded, card, options) -> dict:
    """{file: (its bytes, what the card says of it)} of a `formats.Converted`. Any batch, and any size that it takes."""
    import onnx
    import tf2onnx

    specs = list(signature.inputs.values())
    names = [spec.name for spec in specs]

    @tf.function(input_signature=specs, autograph=False)
    def function(*values):
        return signature.function(**dict(zip(names, values)))

    model, _ = tf2onnx.convert.from_function(function, specs, opset=OPSET)
    _name_sizes(model)
    _plain_doubling(model)
    _describe(model, signature, card)
    onnx.checker.check_model(model, full_check=True)
    return {f"{signature.name}.onnx": (model.SerializeToString(), {"opset": OPSET})}


def _name_sizes(model):
    """Names the sizes that are open: they are numbered otherwise."""
    for value in (*model.graph.input, *model.graph.output):
        dims = value.type.tensor_type.shape.dim
        for dim, name in zip(dims, ("batch", "height", "width")):
            if not dim.HasField("dim_value"):
                dim.dim_param = name


def _plain_doubling(model):
    """Writes the doubling of pixels as ONNX still has it.

    tf2onnx writes a way to find the nearest pixel that ONNX gave up with opset 13. Where a map becomes a whole number
    of times as large, as in all networks here, rounding down finds the same pixels; others would show in the difference
    from the SavedModel.
    """
    for node in model.graph.node:
        if node.op_type != "Resize":
            continue
        values = {attribute.name: attribute for attribute in node.attribute}
        if values["mode"].s == b"nearest" and values["coordinate_transformation_mode"].s == b"tf_half_pixel_for_nn":
            values["coordinate_transformation_mode"].s = b"asymmetric"
            values["nearest_mode"].s = b"floor"


def _describe(model, signature, card):
    import onnx

    model.producer_name, model.producer_version = "tf2gan", __version__
    model.graph.name = f"{card['name']}-{card['version']}-{signature.name}"
    model.doc_string = f"{card['name']}, version {card['version']}, signature {signature.name}; see its model card."
    onnx.helper.set_model_props(model, {
        "name": card["name"], "version": str(card["version"]), "signature": signature.name,
        "meanings": json.dumps(signature.meanings), "data_license": str(card["data_license"])})


def run(content, inputs) -> dict:
    """{name: array} that ONNX Runtime makes of {name: array}."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def loading(file, entry) -> str:
    """Python code that runs a file, for the model card."""
    names, feed = ", ".join(entry["outputs"]), ", ".join(f'"{name}": {name}' for name in entry["inputs"])
    return "\n".join(["import onnxruntime", "", f'session = onnxruntime.InferenceSession("{file}")',
                      f"[{names}] = session.run({list(entry['outputs'])}, {{{feed}}})"])
