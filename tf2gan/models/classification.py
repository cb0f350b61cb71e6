"""Classifying images: the functions that a SavedModel exports, a classifier from a GAN or an export, its predictions.

Pictures of any size are resized to the model's image size as in training and evaluation: to cover it, antialiased, and
then cropped in the middle.
"""
import csv
import io
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from tf2gan.core import files, images, savedmodel
from tf2gan.core.errors import UserError, printable
from tf2gan.data import folders, pipeline
from tf2gan.metrics.accuracy import wilson_interval
from tf2gan.metrics.classifier import label_agreement
from tf2gan.models import decoding, generation

BATCH = 100  # images that a classifier reads at once
SUFFIXES = (".csv", ".json")  # of files of predictions
_COLUMNS = ("path", "label", "probability")  # of a CSV file, before those of the classes


# In the graph.

def image_shape(gan):
    """(height, width, channels) of what `gan` classifies. Raises UserError if it does not classify."""
    if not gan.abilities.classifies:
        raise UserError(f"{type(gan).__name__} does not classify images")
    return (*gan.config.image_shape, gan.config.channels)


def class_names(gan):
    """The names of the classes of `gan`, a tuple of str; their numbers if the data have no names."""
    return tuple(gan.class_names or map(str, range(gan.config.classes)))


def signatures(gan):
    """{signature name: tf.function} of a GAN that classifies. They run the model, not the networks it is compared with.

        classify: `images` float32 [batch, height, width, channels] in [0, 1] (clipped to that) -> `probabilities`
            float32 [batch, classes], and `labels` int64 [batch], the most probable ones.
        classify_bytes: `image_bytes` string [batch], JPEG, PNG, GIF or BMP files of any size -> the same, for their
            images resized by `data.pipeline.fitted`.

    Raises UserError for a GAN that does not classify.
    """
    shape = image_shape(gan)

    @tf.function(input_signature=[tf.TensorSpec([None, *shape], tf.float32, name="images")])
    def classify(images):
        probabilities = gan.classify(2.0 * tf.clip_by_value(images, 0.0, 1.0) - 1.0)
        probabilities = tf.ensure_shape(probabilities, [None, gan.config.classes])
        return {"probabilities": probabilities, "labels": tf.argmax(probabilities, axis=-1)}

    def decode(file):
        return pipeline.fitted(decoding.decode(file), shape)

    # "_bytes" at the end makes TensorFlow Serving's REST API take {"b64": ...}.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify_bytes(image_bytes):
        pixels = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec(shape, tf.uint8))
        return classify(tf.cast(pixels, tf.float32) / 255.0)

    return {"classify": classify, "classify_bytes": classify_bytes}


# For the card and the warm-up of an export.

def texts(gan):
    """{tensor name: description} of all inputs and outputs of `signatures`."""
    height, width, channels = image_shape(gan)
    return {"images": f"float32 [batch, {height}, {width}, {channels}] in [0, 1]",
            "image_bytes": f"string [batch], image files: {decoding.FORMATS}",
            "probabilities": f"float32 [batch, {gan.config.classes}], of the classes",
            "labels": f"int64 [batch], from 0 to {gan.config.classes - 1}: the most probable class"}


def examples(gan):
    """{tensor name: TensorProto}: example inputs of `signatures`, one image each."""
    shape = image_shape(gan)
    grey = images.encode_image(np.full(shape, 128, np.uint8), ".png")
    return {"images": tf.make_tensor_proto(0.5, tf.float32, shape=[1, *shape]),
            "image_bytes": tf.make_tensor_proto([grey])}


# Outside of the graph.

class Classifier:
    """A model ready to classify pictures, made by `from_gan` or `from_savedmodel`.

    A run and its export give the same probabilities, up to rounding. Attributes: `image_shape`, (height, width,
    channels), and `class_names`, a tuple of str, numbers if the data had no names.
    """

    def __init__(self, classify, image_shape, class_names, owner):
        """`classify` as `signatures` returns it; `owner` keeps its variables alive."""
        self.image_shape, self.class_names = tuple(image_shape), tuple(class_names)
        self._classify, self._owner = classify, owner

    @classmethod
    def from_gan(cls, gan):
        """Raises UserError for a GAN that does not classify."""
        return cls(signatures(gan)["classify"], image_shape(gan), class_names(gan), gan)

    @classmethod
    def from_savedmodel(cls, path):
        """An exported model: savedmodels/NAME (the highest version) or savedmodels/NAME/VERSION.

        Raises UserError if it cannot be loaded, or does not classify.
        """
        card = generation.card_of_savedmodel(path)
        names = card.get("classes") if isinstance(card, dict) else None
        if not isinstance(names, list):
            raise UserError(f"the SavedModel {printable(savedmodel.find(path))} does not classify images, by its "
                            "model_card.json")
        loaded = savedmodel.load(path, ["classify"])
        signature = loaded.signatures["classify"]
        spec = signature.structured_input_signature[1].get("images")
        answer = signature.structured_outputs.get("probabilities")
        if None in (spec, answer) or answer.shape.as_list() != [None, len(names)]:
            raise UserError(f"the signature classify of the SavedModel {printable(path)} is of another kind than its "
                            f"model_card.json says: needed are probabilities of {len(names)} classes, from images")
        return cls(signature, spec.shape[1:], names, loaded)

    def fitted(self, picture):
        """Resizes a picture from `images.read_image`, uint8 [h, w, 3], to uint8 `image_shape` by `pipeline.fitted`."""
        # Not as a tf.function: it would multiply by 1 / 127.5 instead of dividing. Then one pixel in a thousand, which
        # lies halfway between two values, would be rounded differently than in tf.data.
        return pipeline.fitted(tf.constant(picture), self.image_shape).numpy()

    def probabilities(self, pixels, batch=BATCH, progress=None):
        """np.float32 [n, classes] of pictures uint8 [n, *image_shape].

        The model reads `batch` pictures at a time, which changes only speed and memory. `progress`, if given, is called
        after each batch with its number of images. Raises ValueError for pictures of another kind.
        """
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != self.image_shape:
            raise ValueError(f"pictures are uint8 {['n', *self.image_shape]}; these are {pixels.dtype} {pixels.shape}")
        found = np.empty([len(pixels), len(self.class_names)], np.float32)
        for start in range(0, len(pixels), batch):
            part = pixels[start:start + batch].astype(np.float32) / np.float32(255)
            found[start:start + batch] = self._classify(images=tf.constant(part))["probabilities"].numpy()
            if progress is not None:
                progress(len(part))
        return found


# From files to predictions.

def plan(source):
    """{pathlib.Path of an image: its name in the predictions} of an image, or of all images of a folder.

    A single image is named by the given path, those of a folder by their path relative to it, with "/". Raises
    UserError if there is nothing to read.
    """
    source = pathlib.Path(source)
    if not source.exists():
        raise UserError(f"{printable(source)} does not exist; needed: an image, or a folder of images")
    if not source.is_dir():
        return {source: source.as_posix()}
    return {path: path.relative_to(source).as_posix() for path in folders.some_images(source)}


def check_output(path, overwrite=False):
    """Raises UserError unless predictions can be written to `path`: .csv or .json, in a folder that exists."""
    path = pathlib.Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"--output {printable(path)}: must end in {' or '.join(SUFFIXES)}")
    if path.is_dir():
        raise UserError(f"--output {printable(path)}: is a folder; needed: a file's name")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {printable(path)}: no such folder")
    if os.path.lexists(path) and not overwrite:
        raise UserError(f"--output {printable(path)} exists already; --overwrite replaces it")
    files.check_writable(path.parent)


def classify_files(classifier, paths, progress=None):
    """np.float32 [n, classes] of image files; `progress` as in `Classifier.probabilities`. Raises UnreadableImage."""
    paths, found = list(paths), []
    for start in range(0, len(paths), BATCH):  # only these are in memory
        pictures = [classifier.fitted(images.read_image(path)) for path in paths[start:start + BATCH]]
        found.append(classifier.probabilities(np.stack(pictures), progress=progress))
    return np.concatenate(found)


def columns(class_names):
    """The header of a CSV file: path, label, probability, and the class names in order.

    A class with the name of another column gets the prefix "class ", repeated until its name is unique.
    """
    found = list(_COLUMNS)
    for name in class_names:
        if name in _COLUMNS:
            while name in (*found, *class_names):
                name = f"class {name}"
        found.append(name)
    return found


def _numbers(row):
    return [float(str(value)) for value in row]  # 0.1, not the 0.10000000149011612 that float32 makes of it


def as_csv(names, probabilities, class_names):
    """Predictions as bytes of a CSV file, UTF-8: `columns`, then a row per image; label is the most probable class."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns(class_names))
    for name, row in zip(names, probabilities):
        label = int(np.argmax(row))
        row = _numbers(row)
        writer.writerow([name, class_names[label], row[label], *row])
    return text.getvalue().encode("utf-8", "surrogateescape")  # keeps file names that are not valid text


def as_json(names, probabilities, class_names):
    """Predictions as bytes of a JSON file: [{"path", "label", "probability", "probabilities": {class name: value}}]."""
    answers = []
    for name, row in zip(names, probabilities):
        label = int(np.argmax(row))
        row = _numbers(row)
        answers.append({"path": name, "label": class_names[label], "probability": row[label],
                        "probabilities": dict(zip(class_names, row))})
    return (json.dumps(answers, indent=2) + "\n").encode()


def as_table(names, probabilities, class_names, top):
    """Predictions as text: one line per image, with its `top` most probable classes, or all if there are fewer."""
    names = [printable(name) for name in names]
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    width, class_width = max(map(len, names)), max(len(printable(name)) for name in class_names)
    return "\n".join(
        f"{name:{width}}" + "".join(f"  {printable(class_names[label]):{class_width}} {row[label]:.4f}"
                                    for label in labels)
        for name, row, labels in zip(names, probabilities, best))


def write(path, names, probabilities, class_names):
    """Writes predictions to `path`, .csv or .json, completely or not at all. Raises UserError if that fails."""
    content = {".csv": as_csv, ".json": as_json}[pathlib.Path(path).suffix.lower()](names, probabilities, class_names)
    try:
        files.write_atomically(path, content)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror}") from error


def labels_of_folders(names, class_names):
    """The labels int64 [n] of images that are all in sub folders named after classes; None if not all are.

    `names`: those that `plan` returns for a folder.
    """
    first = [pathlib.PurePosixPath(name).parts for name in names]
    if not all(len(parts) > 1 and parts[0] in class_names for parts in first):
        return None
    return np.array([list(class_names).index(parts[0]) for parts in first])


def accuracy_table(labels, probabilities, class_names):
    """How many images of each class were classified correctly, and the accuracy over all, as text."""
    agreement = label_agreement(labels, probabilities.argmax(axis=1), len(class_names))
    width = max(len(printable(name)) for name in class_names)
    lines = [f"{printable(name):{width}}  {row[label]} of {sum(row)} right"
             for label, (name, row) in enumerate(zip(class_names, agreement["confusion"])) if sum(row)]
    right = sum(row[label] for label, row in enumerate(agreement["confusion"]))
    low, high = wilson_interval(right, len(labels))
    return "\n".join([*lines, f"accuracy {right / len(labels):.1%}, 95 % interval {low:.1%} to {high:.1%}: "
                              f"{right} of {len(labels)} right"])
