"""Exports SavedModels in the layout of TensorFlow Serving: NAME/VERSION/, complete or absent, in plain TensorFlow.

A version holds only the variables and graphs of the generators and, if the method has one, of the classifier. It has
float signatures, signatures for image files, warm-up requests, and a model card. It needs neither tf2gan nor Keras nor
tensorflow-addons.
"""
import contextlib
import os
import pathlib
import shutil
import uuid
from typing import Any, Dict, NamedTuple

import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tf2gan.core import files, images, quiet
from tf2gan.core.errors import UserError
from tf2gan.core.savedmodel import versions
from tf2gan.export import model_card
from tf2gan.models import classification, generation, translation
from tf2gan.networks.layers import variable_of
from tf2gan.runs import beginning

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"  # where TensorFlow Serving looks
_HIGHEST_VERSION = 2 ** 63 - 1  # TensorFlow Serving reads an int64

# A field of `gans.abilities.Abilities`, and the module that exports this ability. A GAN may have several abilities. The
# first signature of the first one is the default.
_EXPORTED_BY = (("translates", translation), ("classifies", classification), ("samples", generation))

# The parts used of tensorflow_serving/apis/{prediction_log,predict,model}.proto: message, field, number, type. A tensor
# is declared as bytes, since nested messages are encoded in the same way. So its own definition is not needed here.
_MESSAGES = {
    "PredictionLog": [("predict_log", 6, "PredictLog")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "InputsEntry")],
    "InputsEntry": [("key", 1, str), ("value", 2, bytes)],  # of map<string, TensorProto> inputs
    "ModelSpec": [("name", 1, str), ("signature_name", 3, str)],
}


class _Signature(NamedTuple):
    function: Any  # a concrete function
    texts: Dict[str, str]  # descriptions of its tensors by name; may contain tensors of other signatures
    examples: Dict[str, Any]  # a TensorProto for each of its inputs; may contain inputs of other signatures


def export(gan, directory, version=None, card=None):
    """Exports `gan` as the SavedModel `directory`/VERSION, and returns its pathlib.Path.

    A GAN that generates from latents has the signatures of `models.generation.signatures`, "latents" also as
    serving_default. One that classifies also has those of `models.classification.signatures`, "classify" as
    serving_default. One that translates has, for each of its directions ("a2b", "b2a"):
        a2b (also as serving_default): `images`, float32 [batch, height, width, 3] in [0, 1], in and out; any batch and
            size; values outside are clipped.
        a2b_bytes: `image_bytes`, string [batch], each a JPEG, PNG, GIF or BMP file of any size; the output is PNG.

    Args:
        gan: a GAN that does any of these; its averaged weights are exported if it has any.
        directory: folder of the versions of this model; created if needed.
        version: int from 1 on; None: one above the highest that exists.
        card: the run's record, a dict as `runs.restore.load_gan` returns it, for the model card.

    The export is written under a name that TensorFlow Serving ignores, and renamed when complete. A failure leaves
    `directory` as it was. Raises UserError for a version that exists, for a directory that cannot be written,
    and for a GAN that does none of these.
    """
    directory = pathlib.Path(directory)
    interface = _interface(gan)
    signatures = {name: signature.function for name, signature in interface.items()}
    version = check_target(directory, version)
    module = tf.Module()
    # Only the variables that the graphs use: with the networks as attributes, Keras would add its own metadata.
    used = list({id(v): v for each in signatures.values() for v in each.variables}.values())
    module.variables_used = used
    target = directory / str(version)
    temporary = directory / f".{version}.{uuid.uuid4().hex}.tmp"
    try:
        with _made(directory):
            try:
                with quiet.only_warnings():  # "Assets written to" would show the temporary name
                    tf.saved_model.save(module, os.fspath(temporary), signatures,
                                        tf.saved_model.SaveOptions(experimental_custom_gradients=False))
                _write_warmup(temporary / WARMUP_FILE, interface)
                model_card.write(temporary, gan, directory.resolve().name, version, _describe(interface), card or {},
                                 _places(gan, used))
                os.rename(temporary, target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)  # exists only if something failed or was interrupted
    except (OSError, tf.errors.OpError) as error:
        if os.path.lexists(target):  # another export was faster
            raise _taken(target, directory) from error
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise UserError(f"cannot write {images.printable(target)}: {reason}") from error
    return target


def check_target(directory, version=None):
    """The number of the version that `export` would write, checked before any work.

    Raises UserError for a version that exists or is invalid, and for a directory that cannot be written.
    """
    directory = pathlib.Path(directory)
    there = versions(directory)
    if any((directory / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")) or (
            directory.name.isdecimal() and any((path / "saved_model.pb").exists()
                                               for path in versions(directory.parent).values())):
        raise UserError(f"{images.printable(directory)} names a version, not a model: give --output "
                        f"{images.printable(directory.parent)}, and --version for its number")
    if files.is_odd(directory.absolute()):
        raise UserError(f"{images.printable(directory)}: TensorFlow cannot load a SavedModel from a path with [ ] * ? "
                        "or a backslash, or with bytes that are not text; choose another")
    if version is None:
        version = max(there, default=0) + 1
    if not 1 <= version <= _HIGHEST_VERSION:
        raise UserError(f"version {version}: must be from 1 to {_HIGHEST_VERSION}, or left out for the next one")
    if version in there:
        raise _taken(there[version], directory)
    files.check_writable(directory)
    return version


def _taken(target, directory):
    return UserError(f"{images.printable(target)} exists already, and versions are not replaced; next free version: "
                     f"{max(versions(directory)) + 1}")


@contextlib.contextmanager
def _made(directory):
    """Creates `directory` with its parents, and removes those that it created if the block fails."""
    missing = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):  # not empty: another export has begun to use it
                folder.rmdir()
        raise


def _interface(gan):
    """{signature name: _Signature}, the default one first. Raises UserError for a GAN without abilities."""
    found = {}
    for ability, module in _EXPORTED_BY:
        if getattr(gan.abilities, ability):
            texts, examples = module.texts(gan), module.examples(gan)
            found.update({name: _Signature(function.get_concrete_function(), texts, examples)
                          for name, function in module.signatures(gan).items()})
    if not found:
        raise UserError(f"{type(gan).__name__} cannot be exported: it has neither directions to translate in, nor "
                        "classes to tell apart, nor latents to generate from")
    return {"serving_default": next(iter(found.values())), **found}


def _describe(interface):
    """{signature name: {"inputs": {name: text}, "outputs": {name: text}}} for the model card."""
    return {name: {"inputs": {key: texts[key] for key in _inputs(function)},
                   "outputs": {key: texts[key] for key in function.structured_outputs}}
            for name, (function, texts, _) in interface.items()}


def _places(gan, variables):
    """[(name of a network, index of the variable in it)] of TensorFlow's `variables`, for --init-from.

    With Keras 3 they have lost their names.
    """
    places = {id(variable_of(variable)): place for variable, *place in beginning.named(gan)}
    return [places.get(id(variable), (None, None)) for variable in variables]


def _inputs(function):
    """Names of the tensors that a concrete function takes."""
    return [spec.name for spec in tf.nest.flatten(function.structured_input_signature)]


# Warm-up: TensorFlow Serving runs these requests before it reports a version as ready, so that no user waits for them.

def prediction_log_class():
    """The class of the protobuf message tensorflow.serving.PredictionLog, as far as `_MESSAGES` declares it.

    tensorflow-serving-api is not a dependency, because it is tied to one version of TensorFlow.
    """
    field_type = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="tf2gan/prediction_log.proto", package="tensorflow.serving",
                                              syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, number, kind in fields:
            field = message.field.add(name=name, number=number, label=field_type.LABEL_OPTIONAL)
            if kind in (str, bytes):
                field.type = field_type.TYPE_STRING if kind is str else field_type.TYPE_BYTES
            else:
                field.type, field.type_name = field_type.TYPE_MESSAGE, f".tensorflow.serving.{kind}"
            if kind == "InputsEntry":  # a map is written as a list of its entries
                field.label = field_type.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()  # not the default one, where it would clash with tensorflow-serving-api
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving.PredictionLog"))


def _write_warmup(path, interface):
    message_class = prediction_log_class()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for name, (function, _, examples) in interface.items():
            log = message_class()
            log.predict_log.request.model_spec.signature_name = name
            for key in _inputs(function):
                log.predict_log.request.inputs.add(key=key, value=examples[key].SerializeToString())
            writer.write(log.SerializeToString())
