"""Translating photographs from A to B or back: images of any size, one file or a whole folder.

A network only takes sizes that are a multiple of some number and not too small. Every image is padded to such a size
by mirroring at its edges, translated as a whole, and cropped back. Nothing is resized.
"""
import functools
import os
import pathlib
from typing import NamedTuple

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


class _Padded(NamedTuple):
    """Images padded to a size that a network takes, and where the original is in them."""
    images: tf.Tensor
    rows: slice
    columns: slice


def _padded(inputs, multiple, minimum):
    height, width = tf.shape(inputs)[1], tf.shape(inputs)[2]
    rows, top = _mirrored_positions(height, multiple, minimum)
    columns, left = _mirrored_positions(width, multiple, minimum)
    return _Padded(tf.gather(tf.gather(inputs, rows, axis=1), columns, axis=2), slice(top, top + height),
                   slice(left, left + width))


def full_size(network, inputs, multiple, minimum):
    """`network` applied to images of any size, also of sizes that it does not take.

    Args:
        network: function of images [batch, height, width, channels] that keeps height and width.
        inputs: images [batch, height, width, channels], at least 1x1.
        multiple: the network's inputs must have a height and width that are multiples of this,
        minimum: and at least this.

    Returns [batch, height, width, channels]. The padding is equal on both sides; an odd row or column is added last.
    """
    padded = _padded(inputs, multiple, minimum)
    return network(padded.images)[:, padded.rows, padded.columns]


def functions(gan):
    """{direction: tf.function} of a GAN that translates, for any number of images of any size.

    Each takes `images`, float32 [batch, height, width, 3] in [0, 1] (clipped to that), and returns {"images": ...} of
    the same shape and range. They are traced once for all shapes. Raises UserError for a GAN without directions.
    """
    if not gan.abilities.translates:
        raise UserError(f"{type(gan).__name__} does not translate images: it has no directions")

    def function(direction):
        network = gan.translating_network(direction)

        @tf.function(input_signature=[_images_spec()])
        def translate(images):
            return _translated(functools.partial(gan.generate, direction=direction), network, images)

        return translate

    return {direction: function(direction) for direction in gan.abilities.directions}


def styled_functions(gan):
    """{name: tf.function} of a GAN whose translations take styles; {} for others.

        styles: `num` int32 [] and `seed` int64 [] -> `styles` float32 [num, style_size]; style i of a seed is the same
            for any `num` above i.
        a2b_styled, and so on: `images` as for `functions`, and `styles`, one for each -> `images`.
        a2b_style_of: `images` of B, and `partners`, such images of A as have become them, or might -> `styles` that
            give the images. Both have one size.
    """
    if not gan.abilities.styles:
        return {}
    spec = tf.TensorSpec([None, gan.config.style_size], tf.float32, name="styles")

    def of_direction(direction):
        network, encoder = gan.translating_network(direction), gan.encoding_network(direction)

        @tf.function(input_signature=[_images_spec(), spec])
        def translate(images, styles):
            with tf.control_dependencies([tf.debugging.assert_equal(
                    tf.shape(styles)[0], tf.shape(images)[0], "one style for each image is needed")]):
                styles = tf.identity(styles)
            return _translated(lambda inputs: gan.generate(inputs, direction, styles), network, images)

        @tf.function(input_signature=[_images_spec(), _images_spec("partners")])
        def style_of(images, partners):
            both = (_padded(_inputs(each), encoder.size_multiple, encoder.size_minimum).images
                    for each in (images, partners))
            return {"styles": tf.cast(encoder(*both), tf.float32)}

        return {f"{direction}_styled": translate, f"{direction}_style_of": style_of}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int32, name="num"), tf.TensorSpec([], tf.int64, name="seed")])
    def styles(num, seed):
        return {"styles": gan.styles(num, seed)}

    return {"styles": styles, **{name: function for direction in gan.abilities.directions
                                 for name, function in of_direction(direction).items()}}


def every_function(gan):
    """`functions` and `styled_functions` together."""
    return {**functions(gan), **styled_functions(gan)}


def styles_of(found, num, seed):
    """np.float32 [num, style_size]: the styles of a seed, by functions of `every_function` or signatures of an export.

    None for a model without styles.
    """
    if "styles" not in found:
        return None
    return found["styles"](num=tf.constant(num, tf.int32), seed=tf.constant(seed, tf.int64))["styles"].numpy()


def _images_spec(name="images"):
    return tf.TensorSpec([None, None, None, 3], tf.float32, name=name)


def _inputs(images):
    return 2.0 * tf.clip_by_value(images, 0.0, 1.0) - 1.0


def _translated(generate, network, images):
    outputs = full_size(generate, _inputs(images), network.size_multiple, network.size_minimum)
    return {"images": tf.clip_by_value((tf.cast(outputs, tf.float32) + 1.0) / 2.0, 0.0, 1.0)}


def translate_pixels(function, image, **more):
    """One of `functions` on one image, in the graph: uint8 [height, width, 3] in and out. `more`: its other inputs."""
    return tf.cast(tf.round(255.0 * function(images=_floats(image), **more)["images"][0]), tf.uint8)


def _floats(image):
    return tf.cast(image, tf.float32)[tf.newaxis] / 255.0


def signatures(gan):
    """{signature name: tf.function} for an export: `every_function`, and `functions` from image files to image files.
    """
    found = {}
    for name, function in every_function(gan).items():
        found[name] = function
        if name in DIRECTIONS:
            found[f"{name}_bytes"] = _bytes_function(function)
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
    found = {"images": "float32 [batch, height, width, 3] in [0, 1]",
             "image_bytes": f"string [batch], image files: {decoding.FORMATS} in, PNG out"}
    if gan.abilities.styles:
        found.update(styles=f"float32 [batch, {gan.config.style_size}], about N(0, 1)",
                     partners="float32 [batch, height, width, 3] in [0, 1]", num="int32 []", seed="int64 []")
    return found


def examples(gan):
    """{tensor name: TensorProto}: example inputs of `signatures`, one image each."""
    grey = np.full([*gan.config.image_shape, 3], 128, np.uint8)
    # A single value for all pixels: some bytes instead of a whole image.
    floats = tf.make_tensor_proto(0.5, tf.float32, shape=[1, *gan.config.image_shape, 3])
    found = {"images": floats, "image_bytes": tf.make_tensor_proto([images.encode_image(grey, ".png")])}
    if gan.abilities.styles:
        found.update(styles=tf.make_tensor_proto(0.0, tf.float32, shape=[1, gan.config.style_size]), partners=floats,
                     num=tf.make_tensor_proto(1, tf.int32), seed=tf.make_tensor_proto(0, tf.int64))
    return found


class Translator:
    """A model ready to translate pictures, made by `from_gan` or `from_savedmodel`.

    `style_size`: numbers of a style; None for a model that has one translation of each picture.
    """

    def __init__(self, float_functions, directions, owner):
        """`float_functions` as `every_function` returns them, of which `directions` are used; `owner` keeps their
        variables alive."""
        self._owner, self._every = owner, float_functions
        picture = tf.TensorSpec([None, None, 3], tf.uint8)
        # Only uint8 passes between numpy and TensorFlow: a float copy of a large photograph is four times as large.
        self._functions = {
            direction: tf.function(functools.partial(translate_pixels, float_functions[direction]),
                                   input_signature=[picture]) for direction in directions}
        self.style_size = None
        if "styles" in float_functions:
            self.style_size = self.styles(1, 0).shape[1]
            style = tf.TensorSpec([1, self.style_size], tf.float32)
            self._with_styles = {
                direction: tf.function(lambda image, style, function=float_functions[f"{direction}_styled"]:
                                       translate_pixels(function, image, styles=style),
                                       input_signature=[picture, style]) for direction in self._functions}

    @classmethod
    def from_gan(cls, gan):
        """Raises UserError for a GAN that does not translate."""
        return cls(every_function(gan), gan.abilities.directions, gan)

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
        return cls(loaded.signatures, directions, loaded)

    @property
    def directions(self):
        """The directions of this model: "a2b", "b2a", or both."""
        return tuple(self._functions)

    def only_direction(self):
        """The direction of a model that has one. Raises UserError for a model of two."""
        if len(self.directions) > 1:
            raise UserError(f"--direction is needed: this model translates {', '.join(self.directions)}")
        return self.directions[0]

    def __call__(self, image, direction, style=None):
        """Translates np.uint8 [height, width, 3] of any size to the same. Raises UserError for a missing direction.

        `style`: np.float32 [style_size], for a model that has styles; None: the first style of seed 0.
        """
        image = self._checked(image, direction)
        if style is None:
            return self._functions[direction](image).numpy()
        self.check_styles()
        return self._with_styles[direction](image, np.asarray(style, np.float32)[np.newaxis]).numpy()

    def styles(self, num, seed):
        """The first `num` styles of a seed, np.float32 [num, style_size]. Raises UserError for a model without."""
        self.check_styles()
        return styles_of(self._every, num, seed)

    def style_of(self, image, direction):
        """The style, np.float32 [style_size], in which `direction` makes pictures such as `image`.

        `image`: np.uint8 [height, width, 3], one of the pictures that come out. The encoder compares it with the
        picture that it may come from: its own translation back. Raises UserError for a model without styles.
        """
        self.check_styles()
        image = _floats(self._checked(image, direction))
        back = next(name for name in DIRECTIONS if name != direction)
        partners = self._every[back](images=image)["images"]
        return self._every[f"{direction}_style_of"](images=image, partners=partners)["styles"].numpy()[0]

    def floats(self, image, direction, styles):
        """Translations of one picture in each of several styles, differentiable.

        `image`: np.uint8 [height, width, 3]; `styles`: float32 [num, style_size]. Returns float32 [num, height, width,
        3] in [0, 1]. Raises UserError for a model without styles.
        """
        self.check_styles()
        pictures = tf.repeat(_floats(self._checked(image, direction)), tf.shape(styles)[0], axis=0)
        return self._every[f"{direction}_styled"](images=pictures, styles=styles)["images"]

    def check_styles(self):
        """Raises UserError for a model without styles."""
        if "styles" not in self._every:
            raise UserError("this model has no styles: it makes one translation of each picture; possible: one of "
                            "--model augmented-cyclegan")

    def _checked(self, image, direction):
        if direction not in self._functions:
            raise unknown("direction", direction, self._functions)
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or not image.size:
            raise ValueError(f"a picture is uint8 [height, width, 3]; this is {image.dtype} {image.shape}")
        return image


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


def varied(pairs, num):
    """Each of `pairs` `num` times, with the number from 1 on in the name of the target: fruit.png -> fruit-1.png.

    Raises UserError if a target would be one of the sources.
    """
    found = [(source, target.with_name(f"{target.stem}-{i}{target.suffix}"))
             for source, target in pairs for i in range(1, num + 1)]
    sources = {source.resolve() for source, _ in pairs}
    for _, target in found:
        if target.resolve() in sources:
            raise UserError(f"{images.printable(target)} is an input itself; give another output")
    return found


def translate_files(translator, pairs, direction, progress=None, styles=None):
    """Reads, translates and writes each (source, target) of `pairs`; no file is ever half written.

    Args:
        progress: if given, it is called without arguments after every file.
        styles: [num, style_size], which the pairs take in turn; None: the model's default.

    Raises UserError for a file that cannot be read or written, and for an image too large for this machine's memory.
    Files written before stay.
    """
    for index, (source, target) in enumerate(pairs):
        image = images.read_image(source)
        try:
            translated = translator(image, direction, None if styles is None else styles[index % len(styles)])
        except tf.errors.ResourceExhaustedError as error:
            raise UserError(f"{images.printable(source)}: {image.shape[1]} x {image.shape[0]} pixels at once need more "
                            "memory than there is; make it smaller first") from error
        images.write_image(target, translated)
        if progress is not None:
            progress()
