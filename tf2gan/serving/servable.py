"""A version of a model in memory: its signatures, what they take, and what they may be asked for."""
import pathlib
import re
from typing import List, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf import json_format, text_format
from tensorflow.core.protobuf import saved_model_pb2

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable, reason
from tf2gan.models import generation
from tf2gan.serving import pictures
from tf2gan.serving.errors import RequestError

_COUNTS = "num"  # the input that says how many images are to be made


class Limits(NamedTuple):
    """How much one request may ask for."""

    images: int  # examples, or images to be made
    pixels: int  # of all its pictures together, as they are decoded


class Spec(NamedTuple):
    """An input of a signature."""

    shape: List  # of ints, None for any size
    dtype: np.dtype  # object: bytes


class Servable:
    """An exported version, ready to be asked.

    Attributes: `name`, `version`, `card`, `signatures` {name: {input: Spec}}, and `definitions`, its SignatureDefs as
    the JSON of their protocol buffers. Calls are not made at the same time: TensorFlow uses all cores for one.
    """

    def __init__(self, folder, name=None):
        """Loads the version in `folder`. Its number is the folder's name, or else what its card says.

        `name`: of the model; None: what its card says. Raises UserError for a folder that is no export, or is damaged.
        """
        folder = savedmodel.find(folder)
        self.card = generation.card_of_savedmodel(folder)
        try:
            own = folder.resolve().name
            self.version = int(own if re.fullmatch(r"[0-9]{1,19}", own) else self.card["version"])
            self.name = str(self.card["name"]) if name is None else name
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{printable(folder)}: its model_card.json is damaged: {reason(error)}") from error
        self._loaded = savedmodel.load(folder)
        self._functions = dict(self._loaded.signatures)
        self.signatures = {name: {key: Spec(spec.shape.as_list(), np.dtype(spec.dtype.as_numpy_dtype))
                                  for key, spec in function.structured_input_signature[1].items()}
                           for name, function in self._functions.items()}
        self.definitions = _definitions(folder)

    def inputs(self, signature):
        """{input: Spec} of a signature. Raises RequestError for an unknown one."""
        if signature not in self.signatures:
            raise RequestError(400, f"signature_name {signature!r}: this model has none; possible: "
                                    f"{', '.join(self.signatures)}")
        return self.signatures[signature]

    def function(self, signature):
        """The function of a signature, which takes tensors by name."""
        return self._functions[signature]

    def cost(self, signature, arrays, limits):
        """(images that a request asks for, pixels that it sends). Raises RequestError if it goes beyond `limits`."""
        specs = self.signatures[signature]
        num, pixels = 1, 0
        for name, array in arrays.items():
            if specs[name].shape[:1] == [None]:
                num = len(array)
            elif name == _COUNTS:
                num = int(array)
                if num < 1:
                    raise RequestError(400, f"{name}: is {num}, must be at least 1")
        if num > limits.images:
            raise RequestError(413, f"{num} images are asked for; a request may have up to {limits.images}")
        for name, array in arrays.items():
            if array.dtype == object:
                pixels += sum(pictures.pixels(f"{name}[{index}]", content) for index, content in enumerate(array))
            elif array.ndim == 4:
                if 0 in array.shape:
                    raise RequestError(400, f"{name}: has no pixel")
                pixels += int(np.prod(array.shape[:3]))
            if pixels > limits.pixels:
                raise RequestError(413, f"{name}: {pixels} pixels or more; a request may have up to {limits.pixels}")
        return num, pixels

    def batches(self, signature) -> bool:
        """Whether examples of several requests can be computed together."""
        outputs = self._functions[signature].structured_outputs
        return all(spec.shape[:1] == [None] for spec in self.signatures[signature].values()) and all(
            spec.shape.rank and spec.shape[0] is None for spec in outputs.values())

    def run(self, signature, arrays) -> dict:
        """{name: array} that a signature makes of {name: array}. Raises RequestError for what the model refuses."""
        try:
            feed = {name: tf.constant(array, dtype=self._tensor_type(signature, name))
                    for name, array in arrays.items()}
            found = {name: value.numpy() for name, value in self._functions[signature](**feed).items()}
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(400, f"the model refuses it: {reason(error)}") from error
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise RequestError(503, "there is not enough memory for this request") from error
        for name, array in found.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise RequestError(400, f"the model makes no numbers of it: {name} would hold NaN or Infinity")
        return found

    def _tensor_type(self, signature, name):
        return self._functions[signature].structured_input_signature[1][name].dtype


def versions_of(path, every=False, name=None) -> list:
    """The Servables at `path`: a version's folder, or a model's, with its newest version or with every one.

    `name`: of the model; None: what its card says. Raises UserError if there is none, and for one that is incomplete.
    """
    path = pathlib.Path(path)
    folder = savedmodel.find(path)
    if not every or folder == path:
        return [Servable(folder, name)]
    return [Servable(place, name) for _, place in sorted(savedmodel.versions(path).items())]


def check_same_model(servables):
    """Raises UserError if the versions of a folder are of several models, by their cards."""
    names = sorted({servable.name for servable in servables})
    if len(names) > 1:
        raise UserError(f"the versions are of several models: {', '.join(map(printable, names))}; possible: one "
                        "version, or --name")


def _definitions(folder):
    """The SignatureDefs of a SavedModel as the JSON of their protocol buffers, without those of TensorFlow itself."""
    stored, binary = saved_model_pb2.SavedModel(), folder / "saved_model.pb"
    if binary.is_file():
        stored.ParseFromString(binary.read_bytes())
    else:
        text_format.Parse((folder / "saved_model.pbtxt").read_text(encoding="utf-8"), stored)
    found = stored.meta_graphs[0].signature_def
    for plain in ({"always_print_fields_with_no_presence": True}, {"including_default_value_fields": True}):
        try:  # the name of the option depends on the version of protobuf
            return {name: json_format.MessageToDict(found[name], preserving_proto_field_name=True, **plain)
                    for name in found if not name.startswith("__")}
        except TypeError:
            continue
    raise AssertionError("protobuf has neither option")
