"""Exports as TensorFlow Lite models (LiteRT), for phones and small machines. TensorFlow itself converts them."""
import re

import tensorflow as tf

from tf2gan.core.errors import UserError, reason
from tf2gan.core.options import several

KINDS = ("float32", "float16", "int8")  # of the weights; int8: the range of each tensor is found while it runs


def check(options, wanted):
    """Raises UserError for an unknown kind of weights in `options.tflite_weights`."""
    kinds(options)
    if not wanted and options.tflite_weights != KINDS[0]:
        raise UserError(f"--tflite-weights {options.tflite_weights}: is for --format tflite")


def kinds(options) -> tuple:
    """The kinds of weights in the comma-separated `options.tflite_weights`. Raises UserError for an unknown one."""
    return several("--tflite-weights", options.tflite_weights, KINDS)


def convert(signature, loaded, card, options) -> dict:
    """{file: (its bytes, what the card says of it)} of a `formats.Converted`, a file a kind of weights."""
    concrete, found = signature.function.get_concrete_function(**signature.inputs), {}
    for kind in kinds(options):
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], loaded)
        if kind != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "float16":
            converter.target_spec.supported_types = [tf.float16]
        name = f"{signature.name}.tflite" if kind == "float32" else f"{signature.name}-{kind}.tflite"
        try:
            found[name] = converter.convert(), {"weights": kind}
        except Exception as error:  # of a class that is not public
            lacking = re.search(r"TF Select ops: (.*)", str(error))
            why = f"it lacks {lacking.group(1)} as they are used there" if lacking else reason(error)
            raise UserError(f"--format tflite: {card['name']}: {signature.name} cannot be converted to TensorFlow "
                            f"Lite: {why}") from error
    return found


def run(content, inputs) -> dict:
    """{name: array} that the model makes of {name: array}."""
    return tf.lite.Interpreter(model_content=content).get_signature_runner()(**inputs)


def loading(file, entry) -> str:
    """Python code that runs a file, for the model card."""
    arguments = ", ".join(f"{name}={name}" for name in entry["inputs"])
    gives = ", ".join(f"'{name}': array" for name in entry["outputs"])
    return "\n".join(["from ai_edge_litert.interpreter import Interpreter  # or tf.lite.Interpreter", "",
                      f'run = Interpreter("{file}").get_signature_runner()',
                      f"made = run({arguments})  # {{{gives}}}"])
