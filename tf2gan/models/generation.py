"""Generating images from latents: the functions that a SavedModel exports, and a sampler from a GAN or an export.

A seed determines latents from the GAN's distribution, N(0, 1) or U(-1, 1). A conditional GAN also takes their labels.
"""
import dataclasses
import functools
import json
import math
import re
from typing import Optional, Tuple

import numpy as np
import tensorflow as tf

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, printable, unknown
from tf2gan.gans.abilities import Abilities
from tf2gan.runs import run_folder
from tf2gan.runs.record import from_record

BATCH = 32  # images that a sampler generates at once
IN_TURN = -1  # instead of a label: the classes in turn


# What is known of a model before it is loaded.

@dataclasses.dataclass(frozen=True)
class Traits:
    """The inputs and outputs of a model."""

    image_shape: Tuple[int, int, int]  # height, width, channels
    latent_size: int
    latent_distribution: str  # "normal": N(0, 1); "uniform": U(-1, 1)
    num_classes: Optional[int] = None  # None: it takes no labels
    class_names: Optional[Tuple[str, ...]] = None  # None: it takes no labels, or its classes have no names

    def class_name(self, label):
        """The name of a class; its number if classes have no names."""
        return self.class_names[label] if self.class_names else str(label)

    def label(self, text):
        """The label for `text`: the name of a class or, if no class has this name, a number.

        Raises UserError for an unknown class, and if the model takes no labels.
        """
        if self.num_classes is None:
            raise UserError(f"label {text!r}: this model takes no labels")
        if text in (self.class_names or ()):
            return self.class_names.index(text)
        numbers = f"from 0 to {self.num_classes - 1}"
        if re.fullmatch(r"-?[0-9]+", text):
            if not 0 <= int(text) < self.num_classes:
                raise UserError(f"label {text}: must be {numbers}")
            return int(text)
        if self.class_names:
            raise unknown("class", text, self.class_names)
        raise UserError(f"label {text!r}: must be a number {numbers}, since the classes of this model have no names")

    def labels(self, text):
        """The labels, a list of ints, for a comma-separated list of names, numbers, and ranges of numbers such as 0-9.

        Raises UserError like `label`, for a descending range, and for a repeated label.
        """
        found = []
        for part in (part.strip() for part in text.split(",")):
            ends = re.fullmatch(r"([0-9]+)-([0-9]+)", part)
            if ends is None or part in (self.class_names or ()):
                found.append(self.label(part))
                continue
            first, last = (self.label(end) for end in ends.groups())
            by_number = self.class_names and all(name.isdecimal() for name in self.class_names)
            numbers = [int(name) for name in self.class_names] if by_number else list(range(self.num_classes))
            if numbers[first] > numbers[last]:
                raise UserError(f"labels {part}: a range goes from the smaller to the larger")
            found += sorted((label for label, number in enumerate(numbers)
                             if numbers[first] <= number <= numbers[last]), key=numbers.__getitem__)
        for position, label in enumerate(found):
            if label in found[:position]:
                raise UserError(f"labels {text}: {self.class_name(label)} is there twice")
        return found

    def check_truncation(self, truncation):
        """Raises UserError for a truncation (None: no truncation) that the distribution of latents does not allow."""
        highest = 1.0 if self.latent_distribution == "uniform" else math.inf
        if truncation is not None and not (0.0 < truncation <= highest and math.isfinite(truncation)):
            limit = "finite" if highest == math.inf else "at most 1, since latents are from U(-1, 1)"
            raise UserError(f"truncation {truncation}: must be above 0 and {limit}")


def traits(gan):
    """The Traits of a GAN. Raises UserError if it does not generate from latents."""
    if not gan.abilities.samples:
        raise _not_from_latents(type(gan).__name__)
    return _traits(gan.abilities, gan.config, gan.class_names)


def traits_of_run(path):
    """The Traits of the GAN of a run. Raises UserError if `path` is not a run, or does not generate from latents."""
    record = run_folder.Run(path).record
    gan_class, config = from_record(record)
    if not gan_class.abilities.samples:
        raise _not_from_latents(f"{printable(path)}: {record['model']}")
    return _traits(gan_class.abilities, config, record.get("class_names"))


def traits_of_savedmodel(path):
    """The Traits of an export, from its model card. Raises UserError if it does not generate from latents."""
    folder = savedmodel.find(path)
    try:
        return traits_of_card(json.loads((folder / "model_card.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"the SavedModel {printable(folder)} does not generate images from latents, or its "
                        "model_card.json, which would say so, is missing or damaged") from error


def traits_of_card(card):
    """The Traits in a model card. Raises KeyError and TypeError for a card that lacks them."""
    values = {field.name: card[field.name] for field in dataclasses.fields(Traits)}
    return Traits(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def card_of_savedmodel(path) -> dict:
    """The model card of an export. Raises UserError if it is missing or damaged."""
    folder = savedmodel.find(path)
    try:
        return json.loads((folder / "model_card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the SavedModel {printable(folder)} has no model_card.json that can be read, which says what "
                        "the model takes and gives") from error


def has_card(path) -> bool:
    """Whether the SavedModel at `path` is an export of this project. Raises UserError if it is not a SavedModel."""
    return (savedmodel.find(path) / "model_card.json").is_file()


def abilities_of_card(card) -> Abilities:
    """The abilities of an export with the model card `card`."""
    directions = tuple(card.get("directions") or ())
    return Abilities(directions=directions, styles="style_size" in card, samples="latent_size" in card,
                     takes_labels=card.get("num_classes") is not None, classifies=bool(card.get("classes")))


def _traits(abilities, config, class_names):
    num_classes = config.num_classes if abilities.takes_labels else None
    return Traits((*config.image_shape, config.channels), config.latent_size, config.latent_distribution, num_classes,
                  tuple(class_names) if class_names and num_classes else None)


def _not_from_latents(what):
    return UserError(f"{what} does not generate images from latents")


# In the graph.

def signatures(gan):
    """{signature name: tf.function} of a GAN that generates from latents. All can be called by keywords alone.

        latents: `latents` float32 [batch, latent_size] -> `images` float32 [batch, height, width, channels] in [0, 1].
        latents_bytes: the same -> `image_bytes` string [batch], PNG files.
        seed: `num` int32 [] and `seed` int64 [] -> `images`; image i of a seed is the same for any `num` above i.
        seed_bytes: the same -> `image_bytes`.
        draw: `num`, `seed`, and `truncation` float32 [] (see `LatentGAN.latents`) -> `latents`.

    With a conditional GAN, the first two also take `labels` int64 [batch]; `seed` and `seed_bytes` also take `label`
    int64 [], where -1 means the classes in turn: 0, 1, 2 ... 0, 1 ... Values out of range raise
    tf.errors.InvalidArgumentError. Raises UserError for a GAN that does not generate from latents.
    """
    facts = traits(gan)
    latents_spec = tf.TensorSpec([None, facts.latent_size], tf.float32, name="latents")
    seed_specs = [tf.TensorSpec([], tf.int32, name="num"), tf.TensorSpec([], tf.int64, name="seed")]

    def generate(latents, *condition):
        images = tf.cast(gan.generate(latents, *condition), tf.float32)
        return {"images": clipped((tf.ensure_shape(images, [None, *facts.image_shape]) + 1.0) / 2.0)}

    if facts.num_classes is None:
        def from_latents(latents):
            return generate(latents)

        def from_seed(num, seed):
            return generate(gan.latents(num, seed))

        latents_specs = [latents_spec]
    else:
        def from_latents(latents, labels):
            return generate(latents, _checked_labels(labels, latents, facts.num_classes))

        def from_seed(num, seed, label):
            return generate(gan.latents(num, seed), _labels_in_turn(num, label, facts.num_classes))

        latents_specs = [latents_spec, tf.TensorSpec([None], tf.int64, name="labels")]
        seed_specs = [*seed_specs, tf.TensorSpec([], tf.int64, name="label")]

    def draw(num, seed, truncation):
        with tf.control_dependencies([tf.debugging.assert_positive(truncation, "the truncation must be above 0")]):
            return {"latents": gan.latents(num, seed, tf.identity(truncation))}

    draw_specs = [*seed_specs[:2], tf.TensorSpec([], tf.float32, name="truncation")]
    return {"latents": tf.function(from_latents, input_signature=latents_specs),
            "latents_bytes": _as_files(from_latents, latents_specs),
            "seed": tf.function(from_seed, input_signature=seed_specs),
            "seed_bytes": _as_files(from_seed, seed_specs),
            "draw": tf.function(draw, input_signature=draw_specs)}


def clipped(images):
    """Images clipped exactly to [0, 1]. Clipped values keep the gradient of unclipped ones.

    Gradient descent towards an image must be able to move them. Exports would not keep a tf.custom_gradient.
    """
    return images + tf.stop_gradient(tf.clip_by_value(images, 0.0, 1.0) - images)


def _as_files(function, specs):
    """`function` with PNG files in place of its images."""
    @functools.wraps(function)  # keeps the names of the inputs
    def files(*args, **kwargs):
        pixels = tf.cast(tf.round(255.0 * function(*args, **kwargs)["images"]), tf.uint8)
        return {"image_bytes": tf.io.encode_png(pixels)}

    return tf.function(files, input_signature=specs)


def _checked_labels(labels, latents, num_classes):
    # Not left to the embedding: on a GPU it returns zeros for wrong labels, and one label would serve all latents.
    with tf.control_dependencies([
            tf.debugging.assert_equal(tf.shape(labels)[0], tf.shape(latents)[0], "one label for each latent is needed"),
            _assert_labels(labels, 0, num_classes)]):
        return tf.identity(labels)


def _labels_in_turn(num, label, num_classes):
    with tf.control_dependencies([_assert_labels(label, IN_TURN, num_classes)]):
        in_turn = tf.range(tf.cast(num, tf.int64)) % num_classes
        return tf.where(tf.equal(label, IN_TURN), in_turn, label)


def _assert_labels(labels, lowest, num_classes):
    inside = tf.reduce_all((labels >= lowest) & (labels < num_classes))
    return tf.debugging.Assert(inside, [f"labels must be from {lowest} to {num_classes - 1}, these are:", labels])


# For the card and the warm-up of an export.

def texts(gan):
    """{tensor name: description} of all inputs and outputs of `signatures`."""
    facts = traits(gan)
    height, width, channels = facts.image_shape
    highest = (facts.num_classes or 0) - 1
    return {"latents": f"float32 [batch, {facts.latent_size}]",
            "labels": f"int64 [batch], from 0 to {highest}",
            "num": "int32 []",
            "seed": "int64 []",
            "label": f"int64 [], from 0 to {highest}, or {IN_TURN}: the classes in turn",
            "truncation": "float32 [], above 0",
            "images": f"float32 [batch, {height}, {width}, {channels}] in [0, 1]",
            "image_bytes": "string [batch], the bytes of PNG files"}


def examples(gan):
    """{tensor name: TensorProto}: example inputs of `signatures`, one image each."""
    latents_shape = [1, traits(gan).latent_size]
    return {"latents": tf.make_tensor_proto(0.0, tf.float32, shape=latents_shape),
            "labels": tf.make_tensor_proto([0], tf.int64),
            "num": tf.make_tensor_proto(1, tf.int32),
            "seed": tf.make_tensor_proto(0, tf.int64),
            "label": tf.make_tensor_proto(0, tf.int64),
            "truncation": tf.make_tensor_proto(1.0, tf.float32)}


# Outside of the graph.

class Sampler:
    """A model ready to generate images, made by `from_gan` or `from_savedmodel`.

    For the same seed, a run and its export give the same images. Attributes: those of its `traits`.
    """

    def __init__(self, facts, float_functions, owner):
        """`facts`: Traits; `float_functions` as `signatures` returns them; `owner` keeps their variables alive."""
        self._owner, self._functions, self.traits = owner, float_functions, facts
        vars(self).update(dataclasses.asdict(facts))

    @classmethod
    def from_gan(cls, gan):
        """Raises UserError for a GAN that does not generate from latents."""
        return cls(traits(gan), signatures(gan), gan)

    @classmethod
    def from_savedmodel(cls, path):
        """An exported model: savedmodels/NAME (the highest version) or savedmodels/NAME/VERSION.

        Raises UserError if it cannot be loaded, or does not generate from latents.
        """
        facts = traits_of_savedmodel(path)
        loaded = savedmodel.load(path, ["draw", "latents"])
        return cls(facts, loaded.signatures, loaded)

    def latents(self, num, seed, truncation=None):
        """The first `num` latents of a seed, np.float32 [num, latent_size]. Raises UserError for a bad truncation."""
        self.traits.check_truncation(truncation)
        truncation = math.inf if truncation is None else truncation
        return self._functions["draw"](
            num=tf.constant(num, tf.int32), seed=tf.constant(seed, tf.int64),
            truncation=tf.constant(truncation, tf.float32))["latents"].numpy()

    def images(self, latents, labels=None, batch=BATCH, progress=None):
        """np.uint8 [num, height, width, channels] from latents [num, latent_size] and, if the model takes them, labels.

        It generates `batch` images at a time, which changes only speed and memory. `progress`, if given, is called
        after each batch with its number of images. Raises ValueError for other shapes, and for invalid labels [num].
        """
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_size:
            raise ValueError(f"latents are [num, {self.latent_size}]; these are {latents.shape}")
        if (labels is None) != (self.num_classes is None):
            raise ValueError("labels are needed" if labels is None else "this model takes no labels")
        if labels is not None:
            labels = np.asarray(labels, np.int64)
            if labels.shape != latents.shape[:1] or not np.all((0 <= labels) & (labels < self.num_classes)):
                raise ValueError(f"labels are [{len(latents)}], from 0 to {self.num_classes - 1}; these are {labels}")
        pictures = np.empty([len(latents), *self.image_shape], np.uint8)
        for start in range(0, len(latents), batch):
            part = slice(start, start + batch)
            condition = {} if labels is None else {"labels": tf.constant(labels[part])}
            made = self._functions["latents"](latents=tf.constant(latents[part]), **condition)["images"].numpy()
            pictures[part] = np.rint(255 * made)
            if progress is not None:
                progress(len(made))
        return pictures
