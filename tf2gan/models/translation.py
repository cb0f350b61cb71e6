"""Translating photographs from A to B or back: images of any size, one file or a whole folder.

A network only takes sizes that are a multiple of some number and not too small. Every image is padded to such a size
by mirroring at its edges, translated as a whole, and cropped back. Nothing is resized.
"""
import functools
import os
import pathlib

import numpy as np
import tensorflow as tf

from tf2gan.core import files, images, savedmodel
from tf2gan.core.errors import UserError, unknown
from tf2gan.data import folders
from tf2gan.models import decoding

DIRECTIONS = ("a2b", "b2a")


# In the graph.

def _mirrored_positions(size, multiple, minimum):
    """For each row (or column) of the padded image its row in the original, and how many were added before the first.

    tf.pad cannot add as many rows as the image has. Here the mirror image is mirrored again as often as needed.
    """
    target = (tf.maximum(size, minimum) + multiple - 1) // multiple * multiple
    before = (target - size) // 2
    last = size - 1
    period = tf.maximum(2 * last, 1)  # 0 1 2 3 2 1 | 0 1 2 3 2 1; a single row is repeated
    # - before, but never below 0, where converters to other formats take another remainder.
    return last - tf.abs(last - (tf.range(target) + before * (period - 1)) % period), before


def full_size(network, inputs, multiple, minimum):
    """`network` applied to images of any size, also of sizes that it does not take.

    Args:
        network: function of images [batch, height, width, channels] that keeps height and width.
        inputs: images [batch, height, width, channels], at least 1x1.
        multiple: the network's inputs must have a height and width that are multiples of this,
        minimum: and at least this.

    Returns [batch, height, width, channels]. The padding is equal on both sides; an odd row or column is added last.
    """
    height, width = tf.shape(inputs)[1], tf.shape(inputs)[2]
    rows, top = _mirrored_positions(height, multiple, minimum)
    columns, left = _mirrored_positions(width, multiple, minimum)
    outputs = network(tf.gather(tf.gather(inputs, rows, axis=1), columns, axis=2))
    return outputs[:, top:top + height, left:left + width]


def functions(gan):
    """{direction: tf.function} of a GAN that translates, for any number of images of any size.

    Each takes `images`, float32 [batch, height, width, 3] in [0, 1] (clipped to that), and returns {"images": ...} of
    the same shape and range. They are traced once for all shapes. Raises UserError for a GAN without directions.
    """
    if not gan.abilities.translates:
        raise UserError(f"{type(gan).__name__} does not translate images: it has no directions")

    def function(direction):
        network = gan.translating_network(direction)
        generate = functools.partial(gan.generate, direction=direction)

        @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, name="images")])
        def translate(images):
            inputs = 2.0 * tf.clip_by_value(images, 0.0, 1.0) - 1.0
            outputs = full_size(generate, inputs, network.size_multiple, network.size_minimum)
            return {"images": tf.clip_by_value((tf.cast(outputs, tf.float32) + 1.0) / 2.0, 0.0, 1.0)}

        return translate

    return {direction: function(direction) for direction in gan.abilities.directions}


def translate_pixels(function, image):
    """One of `functions` on one image, in the graph: uint8 [height, width, 3] in and out."""
    floats = tf.cast(image, tf.float32)[tf.newaxis] / 255.0
    return tf.cast(tf.round(255.0 * function(images=floats)["images"][0]), tf.uint8)


def signatures(gan):
    """{signature name: tf.function} for an export: `functions`, and each of them from image files to image files."""
    found = {}
    for direction, function in functions(gan).items():
        found.update({direction: function, f"{direction}_bytes": _bytes_function(function)})
    return found


def _bytes_function(function):
    # "_bytes" at the end makes TensorFlow Serving's REST API write {"b64": ...}; JSON cannot hold raw bytes.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def translate_bytes(image_bytes):
        def translate_file(file):
            return tf.io.encode_png(translate_pixels(function, decoding.decode(file)))

        # One at a time: sizes differ, the network itself uses all cores, and memory is only that of the largest image.
        answers = tf.map_fn(translate_file, image_bytes, fn_output_signature=tf.TensorSpec([], tf.string),
                            parallel_iterations=1)
        return {"image_bytes": answers}

    return translate_bytes


def texts(gan):
    """{tensor name: description} of all inputs and outputs of `signatures`."""
    return {"images": "float32 [batch, height, width, 3] in [0, 1]",
            "image_bytes": f"string [batch], image files: {decoding.FORMATS} in, PNG out"}


def examples(gan):
    """{tensor name: TensorProto}: example inputs of `signatures`, one image each."""
    grey = np.full([*gan.config.image_shape, 3], 128, np.uint8)
    # A single value for all pixels: some bytes instead of a whole image.
    return {"images": tf.make_tensor_proto(0.5, tf.float32, shape=[1, *gan.config.image_shape, 3]),
            "image_bytes": tf.make_tensor_proto([images.encode_image(grey, ".png")])}


class Translator:
    """A model ready to translate pictures, made by `from_gan` or `from_savedmodel`."""

    def __init__(self, float_functions, owner):
        """`float_functions` as `functions` returns them; `owner` keeps their variables alive."""
        self._owner = owner
        # Only uint8 passes between numpy and TensorFlow: a float copy of a large photograph is four times as large.
        self._functions = {
            direction: tf.function(functools.partial(translate_pixels, function),
                                   input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
            for direction, function in float_functions.items()}

    @classmethod
    def from_gan(cls, gan):
        """Raises UserError for a GAN that does not translate."""
        return cls(functions(gan), gan)

    @classmethod
    def from_savedmodel(cls, path, directions=None):
        """An exported model: savedmodels/NAME (the highest version) or savedmodels/NAME/VERSION.

        `directions`: those that are needed; None: all that it has. Raises UserError if it cannot be loaded, or does not
        translate in one of them.
        """
        loaded = savedmodel.load(path, directions or ())
        if directions is None:
            directions = [direction for direction in DIRECTIONS if direction in loaded.signatures]
            if not directions:
                raise UserError(f"the SavedModel {images.printable(path)} translates no images: it has the signatures "
                                f"{', '.join(loaded.signatures) or 'none'}; needed: {' or '.join(DIRECTIONS)}")
        for direction in directions:
            signature = loaded.signatures[direction]
            inputs, outputs = signature.structured_input_signature[1], signature.structured_outputs
            spec = inputs.get("images")
            if not (list(inputs) == ["images"] and "images" in outputs and spec.dtype == tf.float32
                    and spec.shape.as_list() == [None, None, None, 3]):
                raise UserError(f"the signature {direction} of the SavedModel {images.printable(path)} is of another "
                                f"kind: it takes {inputs}; needed: images, float32 [batch, height, width, 3]")
        return cls({direction: loaded.signatures[direction] for direction in directions}, loaded)

    @property
    def directions(self):
        """The directions of this model: "a2b", "b2a", or both."""
        return tuple(self._functions)

    def only_direction(self):
        """The direction of a model that has one. Raises UserError for a model of two."""
        if len(self.directions) > 1:
            raise UserError(f"--direction is needed: this model translates {', '.join(self.directions)}")
        return self.directions[0]

    def __call__(self, image, direction):
        """Translates np.uint8 [height, width, 3] of any size to the same. Raises UserError for a missing direction."""
        if direction not in self._functions:
            raise unknown("direction", direction, self._functions)
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or not image.size:
            raise ValueError(f"a picture is uint8 [height, width, 3]; this is {image.dtype} {image.shape}")
        return self._functions[direction](image).numpy()


# From file to file.

@functools.lru_cache(maxsize=None)
def _can_be_written(suffix):
    try:
        images.encode_image(np.zeros([1, 1, 3], np.uint8), suffix)
    except UserError:
        return False
    return True


def _output_name(source):
    return source.name if _can_be_written(source.suffix) else f"{source.name}.png"


def plan(source, output):
    """Pairs of files to read and to write: [(pathlib.Path, pathlib.Path)]. Reads and writes nothing yet.

    Args:
        source: an image file, or a folder, whose images at every depth are taken (see folders.find_images).
        output: the folder to write to, which need not exist; for a single file also the name to write it under.

    Names and sub folders are kept, and so is the format if it can be written; if not, ".png" is appended.
    Raises UserError if there is nothing to read, or if outputs would overwrite an input or lie in the input folder.
    """
    is_folder_name = os.fspath(output).endswith(os.sep)
    source, output = pathlib.Path(source), pathlib.Path(output)
    if not source.exists():
        raise UserError(f"{images.printable(source)} does not exist; needed: an image, or a folder of images")
    if not source.is_dir():
        target = output / _output_name(source) if is_folder_name or output.is_dir() else output
        if not _can_be_written(target.suffix):
            raise UserError(f"{images.printable(target)} has no suffix that images can be written in; possible: .png "
                            ".jpg .webp and others, or a folder that exists")
        if target.exists() and target.samefile(source):
            raise UserError(f"{images.printable(target)} is the input itself; give another output")
        return [(source, target)]
    paths = folders.some_images(source)
    pairs = [(path, output / path.relative_to(source).parent / _output_name(path)) for path in paths]
    inside = source.resolve()
    for folder in [output, *sorted({target.parent for _, target in pairs})]:
        if inside in (folder.resolve(), *folder.resolve().parents):
            raise UserError(f"{images.printable(folder)}, to be written to, is the input folder "
                            f"{images.printable(source)} or lies in it; give another output")
    sources = {}
    for path, target in pairs:
        if target in sources:  # a.jp2, if that format cannot be written, beside a.jp2.png
            raise UserError(f"{images.printable(sources[target])} and {images.printable(path)} would both be written "
                            f"as {images.printable(target)}")
        sources[target] = path
    return pairs


def check_outputs(pairs, overwrite=False):
    """Raises UserError if a target of `pairs` exists already, unless `overwrite`, or if it cannot be written."""
    targets = [target for _, target in pairs]
    existing = [target for target in targets if os.path.lexists(target)]
    for target in existing:
        if target.is_dir():
            raise UserError(f"cannot write {images.printable(target)}: a folder has that name")
    if existing and not overwrite:
        raise UserError(f"{len(existing)} of {len(targets)} output files exist already, first: "
                        f"{images.printable(existing[0])}; --overwrite replaces them")
    for folder in sorted({files.nearest_existing(target.parent) for target in targets}):
        files.check_writable(folder)


def translate_files(translator, pairs, direction, progress=None):
    """Reads, translates and writes each (source, target) of `pairs`; no file is ever half written.

    `progress`, if given, is called without arguments after every file. Raises UserError for a file that cannot be read
    or written, and for an image too large for this machine's memory. Files written before stay.
    """
    for source, target in pairs:
        image = images.read_image(source)
        try:
            translated = translator(image, direction)
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(f"{images.printable(source)}: {image.shape[1]} x {image.shape[0]} pixels at once need more "
                            "memory than there is; make it smaller first") from error
        images.write_image(target, translated)
        if progress is not None:
            progress()
