"""Features from a signature of a SavedModel, and helpers for all extractors that are loaded from files."""
import hashlib
import pathlib

import numpy as np
import tensorflow as tf

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable, unknown
from tf2gan.metrics import cache

_NEEDED = "needed: one input, float32 images [batch, height, width, channels] of any batch"


class SavedModelFeatures:
    """An extractor that runs a signature of a SavedModel.

    The signature takes float32 images [batch, height, width, 1 or 3] in [0, 1], as do those of this project's exports.
    If it fixes a size, images are resized to it (bilinear, antialiased). If it fixes channels, grey is repeated and
    colour becomes luma. Its output `output` (default: "features", or the only one) gives the features: the mean over
    space if it has rank 4, else flattened. An output "probabilities", or else the softmax of "logits", is passed on.

    `name` is savedmodel-NAME-SIGNATURE-HASH, with the output before HASH if one is given. `hash` is the SHA-256 of the
    model's files. `num_features` is None if the signature does not specify it.
    """

    def __init__(self, path, signature="serving_default", output=None):
        """Raises UserError if the SavedModel, signature or output does not exist, or the signature is unusable."""
        folder = savedmodel.find(path)
        self._model = savedmodel.load(folder, [signature])  # kept: its variables live only as long as it does
        self._function = self._model.signatures[signature]
        self._where = where = f"signature {signature} of {printable(folder)}"
        self._input, shape = _images_input(self._function, where)
        self._size, self._channels = shape[1:3], shape[3]
        self._output, self._probabilities, outputs = _chosen(self._function.structured_outputs, output, where)
        self.hash = folder_hash(folder)
        full = folder.resolve()
        names = [f"{full.parent.name}-{full.name}" if full.name.isdecimal() else full.name, signature]
        names += [output] if output else []
        self.name = "-".join(["savedmodel", *map(cache.slug, names), self.hash[:6]])
        self.num_features = _num_features(outputs[self._output].shape)
        fixed = None not in self._size
        self.info = {
            "signature": signature, "output": self._output, "probabilities": self._probabilities,
            "resize": "bilinear, antialiased, to {}x{}".format(*self._size) if fixed else "none", "range": "[0, 1]",
            "channels": {1: "1, colour as luma", 3: "3, grey repeated"}.get(self._channels, "as they are"),
            "pooling": "mean over space" if outputs[self._output].shape.rank == 4 else "none"}

    def __call__(self, images):
        """Images uint8 [n, height, width, 1 or 3], n > 0 -> {"features": float32 [n, num_features], ...}.

        The result also has "probabilities", float32 [n, classes], if the signature gives any. Raises ValueError for
        other images, and UserError if the model cannot read images of this size.
        """
        check_images(images)
        x = with_channels(tf.cast(images, tf.float32) / 255.0, self._channels)
        if None not in self._size and tuple(x.shape[1:3]) != tuple(self._size):
            x = tf.image.resize(x, self._size, antialias=True)
        try:
            outputs = self._function(**{self._input: x})
        except tf.errors.OpError as error:  # the signature may take any size where its network does not
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"{self._where} cannot read images {list(x.shape[1:])}: {reason}") from error
        features = outputs[self._output]
        features = tf.reduce_mean(features, [1, 2]) if features.shape.rank == 4 else features
        result = {"features": tf.cast(tf.reshape(features, [len(images), -1]), tf.float32).numpy()}
        if self._probabilities:
            given = tf.cast(outputs[self._probabilities], tf.float32)
            given = tf.nn.softmax(given) if self._probabilities == "logits" else given
            result["probabilities"] = given.numpy()
        return result


def check_images(images):
    """ValueError unless images are uint8 [n, height, width, 1 or 3], n > 0."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(f"images {images.dtype} {list(images.shape)} are not uint8 [n, height, width, 1 or 3], n > 0")


def with_channels(images, channels):
    """Float images [..., 1 or 3] with 1 or 3 channels: grey repeated, colour as luma (0.299, 0.587, 0.114)."""
    if channels is None or images.shape[-1] == channels:
        return images
    return tf.image.rgb_to_grayscale(images) if channels == 1 else tf.repeat(images, 3, axis=-1)


def folder_hash(folder):
    """SHA-256 of a SavedModel's graph, variables and assets: names and contents of the files, in sorted order."""
    folder, digest = pathlib.Path(folder), hashlib.sha256()
    kept = ("saved_model.pb", "saved_model.pbtxt", "variables/", "assets/")  # not model cards and warm-up requests
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    for name in sorted(name for name in names if name.startswith(kept)):
        digest.update(f"{name} {(folder / name).stat().st_size} ".encode("utf-8", "surrogateescape"))
        with open(folder / name, "rb") as file:
            for block in iter(lambda: file.read(2 ** 20), b""):
                digest.update(block)
    return digest.hexdigest()


def _images_input(function, where):
    """(name, shape as a list) of the input. Raises UserError if the signature does not take images."""
    inputs = function.structured_input_signature[1]
    taken = ", ".join(f"{name} {spec.dtype.name} {_shape(spec)}" for name, spec in inputs.items())
    spec = next(iter(inputs.values()), None)
    usable = len(inputs) == 1 and spec.dtype == tf.float32 and spec.shape.rank == 4 and spec.shape[0] is None
    if not usable or spec.shape[3] not in (1, 3, None) or (spec.shape[1] is None) != (spec.shape[2] is None):
        raise UserError(f"{where} takes {taken or 'nothing'}; {_NEEDED}")
    return next(iter(inputs)), spec.shape.as_list()


def _chosen(outputs, asked, where):
    """(name of the features output, name of the probabilities output or None, {name: TensorSpec})."""
    if asked is not None and asked not in outputs:
        raise unknown(f"output of {where}", asked, outputs)
    name = asked or ("features" if "features" in outputs else next(iter(outputs)) if len(outputs) == 1 else None)
    listed = ", ".join(f"{name} {spec.dtype.name} {_shape(spec)}" for name, spec in sorted(outputs.items()))
    if name is None:
        raise UserError(f"{where} gives {listed}: none is named features; name one: savedmodel:PATH:SIGNATURE:OUTPUT")
    if not outputs[name].dtype.is_floating or outputs[name].shape.rank in (0, 1):
        raise UserError(f"{where} gives {listed}: {name} cannot be features, which are numbers [batch, ...]")
    probabilities = next((p for p in ("probabilities", "logits") if p in outputs and outputs[p].dtype.is_floating
                          and outputs[p].shape.rank == 2), None)
    return name, probabilities, outputs


def _num_features(shape):
    if shape.rank is None:
        return None
    return shape[3] if shape.rank == 4 else tf.TensorShape(shape[1:]).num_elements()


def _shape(spec):
    return "of any shape" if spec.shape.rank is None else spec.shape.as_list()
