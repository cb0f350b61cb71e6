"""A version of a model in memory: its signatures, what they take, and what they may be asked for."""
import io
import pathlib
from typing import List, NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable, reason
from tf2gan.models import generation
from tf2gan.serving.errors import RequestError

_FILES = ("JPEG", "MPO", "PNG", "GIF", "BMP")  # Pillow's names of the formats that signatures for files decode
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
    """An exported version, ready to be asked. Attributes: `name`, `version`, `card`, `signatures` {name: {input: Spec}}.

    Calls are not made at the same time: TensorFlow uses all cores for one.
    """

    def __init__(self, folder):
        """`folder`: of the version. Raises UserError for a folder that is no export, or is damaged."""
        folder = savedmodel.find(folder)
        self.card = generation.card_of_savedmodel(folder)
        self.name, self.version = str(self.card["name"]), int(self.card["version"])
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

    def rows(self, signature, arrays, limits) -> int:
        """How many images a request asks for. Raises RequestError if it asks for more than `limits`."""
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
                pixels += sum(_pixels(f"{name}[{index}]", content) for index, content in enumerate(array))
            elif array.ndim == 4:
                if 0 in array.shape:
                    raise RequestError(400, f"{name}: has no pixel")
                pixels += int(np.prod(array.shape[:3]))
            if pixels > limits.pixels:
                raise RequestError(413, f"{name}: {pixels} pixels or more; a request may have up to {limits.pixels}")
        return num

    def batches(self, signature) -> bool:
        """Whether examples of several requests can be computed together."""
        outputs = self._functions[signature].structured_outputs
        return all(spec.shape[:1] == [None] for spec in self.signatures[signature].values()) and all(
            spec.shape.rank and spec.shape[0] is None for spec in outputs.values())

    def run(self, signature, arrays) -> dict:
        """{name: array} that a signature makes of {name: array}. Raises RequestError for what the model refuses."""
        try:
            feed = {name: tf.constant(array, dtype=self._tensor_type(signature, name)) for name, array in arrays.items()}
            return {name: value.numpy() for name, value in self._functions[signature](**feed).items()}
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(400, f"the model refuses it: {reason(error)}") from error
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            raise RequestError(503, "there is not enough memory for this request") from error

    def _tensor_type(self, signature, name):
        return self._functions[signature].structured_input_signature[1][name].dtype


def versions_of(path, every=False) -> list:
    """The Servables at `path`: a version's folder, or a model's, with its newest version or with every one.

    Raises UserError if there is none, and for one that is incomplete.
    """
    path = pathlib.Path(path)
    folder = savedmodel.find(path)
    if not every or folder == path:
        return [Servable(folder)]
    return [Servable(place) for _, place in sorted(savedmodel.versions(path).items())]


def check_same_model(servables):
    """Raises UserError if versions of one folder call themselves by several names or by one number."""
    names = {servable.name for servable in servables}
    numbers = [servable.version for servable in servables]
    if len(names) > 1 or len(set(numbers)) < len(numbers):
        raise UserError(f"the versions are of several models, or of one number: "
                        f"{', '.join(f'{printable(each.name)} {each.version}' for each in servables)}")


def _pixels(name, content):
    """Pixels of the picture in a file, of all its frames, from its header alone. Raises RequestError for no picture."""
    try:
        with Image.open(io.BytesIO(content), formats=[form for form in _FILES if form in Image.OPEN]) as picture:
            frames = getattr(picture, "n_frames", 1) if picture.format == "GIF" else 1
            return picture.width * picture.height * frames
    except Image.DecompressionBombError as error:
        raise RequestError(413, f"{name}: is a picture of too many pixels") from error
    except Exception as error:  # Pillow raises what it meets in a damaged file
        raise RequestError(400, f"{name}: is no picture that can be read; possible: JPEG, PNG, GIF, BMP") from error


def _definitions(folder):
    """The SignatureDefs of a SavedModel as the JSON of their protocol buffers, without those of TensorFlow itself."""
    stored = saved_model_pb2.SavedModel()
    stored.ParseFromString((folder / "saved_model.pb").read_bytes())
    found = stored.meta_graphs[0].signature_def
    for plain in ({"always_print_fields_with_no_presence": True}, {"including_default_value_fields": True}):
        try:  # the name of the option depends on the version of protobuf
            return {name: json_format.MessageToDict(found[name], preserving_proto_field_name=True, **plain)
                    for name in found if not name.startswith("__")}
        except TypeError:
            continue
    raise AssertionError("protobuf has neither option")
