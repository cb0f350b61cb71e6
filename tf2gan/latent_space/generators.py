"""Generators of any origin: published on a hub, any SavedModel, an export or a run of this project.

All have the same interface: latents in, images in [0, 1] out, differentiable in between.
"""
import functools
import hashlib

import numpy as np
import tensorflow as tf

from tf2gan.core import downloads, quiet, savedmodel
from tf2gan.core.errors import UserError, printable, reason, unknown
from tf2gan.core.seeds import fold
from tf2gan.metrics.saved_features import folder_hash
from tf2gan.models import generation

PROGAN = "https://tfhub.dev/google/progan-128/1"  # faces, 128x128, latents [n, 512] from N(0, 1)
SIGNATURES = ("default", "serving_default")  # of third-party modules; those in TF1 hub format have the first
_TF1_HUB_FILE = "tfhub_module.pb"
_INSTEAD = ("possible: the folder of the module, downloaded and unpacked elsewhere; TFHUB_CACHE_DIR where it is "
            "cached; an export, savedmodels/NAME")
_PIXELS = 2 ** 19  # of pictures that are translated at once
_TRIED = 16  # latents whose images are checked
_NEEDED = ("needed: one input, float32 latents [batch, latent_size] of any batch, and one output, float32 images "
           "[batch, height, width, 1 or 3] about [0, 1]")
_LOWEST, _HIGHEST, _BEYOND = -0.1, 1.1, 0.25  # a larger share of values beyond these bounds means another range


class Generator:
    """Makes images from latents, with a model of any origin.

    Attributes: `name`, what it was loaded from; `hash`, SHA-256 of its files, or of a run's weights; `latent_size`;
    `image_size`, (height, width); `channels`, 1 or 3; `latent_distribution`, "normal": N(0, 1), or "uniform": U(-1, 1).
    """

    def __init__(self, name, files_hash, traits, generate, draw, owner, batch=generation.BATCH):
        """Called by `load`, `from_gan` and `of_styles`; use these.

        `traits`: generation.Traits; `generate`: float32 latents -> float32 images about [0, 1]; `draw`: num, seed ->
        np.float32 latents; `owner` keeps the variables alive; `batch`: images that `pictures` makes at once.
        """
        self._batch = batch
        self.name, self.hash = name, files_hash
        self.latent_size, self.latent_distribution = traits.latent_size, traits.latent_distribution
        self.image_size, self.channels = tuple(traits.image_shape[:2]), traits.image_shape[2]
        self._generate, self._draw, self._owner = generate, draw, owner

    def __call__(self, latents):
        """Images float32 [n, height, width, channels] in [0, 1] from latents [n, latent_size], tensor or array.

        Values beyond the range are clipped, but gradients pass as if they were not; otherwise gradient descent could
        not move a latent whose image is clipped. Raises ValueError for latents of another shape.
        """
        latents = tf.cast(latents, tf.float32)
        if latents.shape.rank != 2 or latents.shape[1] != self.latent_size:
            raise ValueError(f"latents are [num, {self.latent_size}]; these are {latents.shape}")
        images = generation.clipped(self._generate(latents))
        return tf.ensure_shape(images, [latents.shape[0], *self.image_size, self.channels])

    def latents(self, num, seed):
        """The first `num` latents of the endless sequence of `seed`, np.float32 [num, latent_size]."""
        return self._draw(num, seed)

    def pictures(self, latents, progress=None):
        """np.uint8 [n, height, width, channels] from latents [n, latent_size], in batches.

        `progress`, if given, is called after each batch with the number of its images. Raises ValueError as a call.
        """
        latents = np.asarray(latents, np.float32)
        made = np.empty([len(latents), *self.image_size, self.channels], np.uint8)
        for start in range(0, len(latents), self._batch):
            part = self(latents[start:start + self._batch])
            made[start:start + len(part)] = np.rint(255 * part.numpy())
            if progress is not None:
                progress(len(part))
        return made


def load(where, label=None):
    """The Generator at `where`.

    Args:
        where: a handle, https://..., which tensorflow-hub downloads to TFHUB_CACHE_DIR or finds there; the folder of a
            module in TF1 hub format or of a TensorFlow 2 SavedModel; an export of this project, savedmodels/NAME (its
            highest version) or savedmodels/NAME/VERSION. Latents of third-party models are drawn from N(0, 1).
        label: the class, by name or number; a conditional export needs it, others take none.

    Raises UserError if there is no such model, if it is damaged or does not generate images from latents alone, and for
    an unknown, missing or superfluous label.
    """
    folder = savedmodel.find(downloads.hub_folder(where, _INSTEAD) if downloads.is_handle(where) else where)
    if (folder / "model_card.json").is_file():
        return _export(folder, label)
    if label is not None:
        raise UserError(f"label {label!r}: {printable(where)} takes no labels")
    loaded = _loaded(folder)
    if {"draw", "latents"} <= set(getattr(loaded, "signatures", {})):
        generation.traits_of_savedmodel(folder)  # raises UserError: the export has no model card
    return _of_others(loaded, str(where), folder)


def from_gan(gan, name, label=None):
    """The Generator of a GAN, as `runs.restore.load_gan` restores it; `label` and UserError as for `load`.

    Its hash is that of its weights and of the images it has seen.
    """
    facts = generation.traits(gan)
    return _ours(name, hash_of(gan, [gan.average]), facts, generation.signatures(gan), label, gan)


def of_styles(translator, files_hash, picture, direction, name):
    """The Generator of all translations of `picture`, np.uint8 [height, width, 3]: its latents are styles.

    `translator`: a models.translation.Translator; `files_hash`: of its files, or `hash_of` a GAN; `name`: of the
    picture. Raises UserError for a translator without styles, or without this direction.
    """
    translator.check_styles()
    if direction not in translator.directions:
        raise unknown("direction", direction, translator.directions)
    batch = max(1, _PIXELS // (picture.shape[0] * picture.shape[1]))
    return Generator(f"translations of {name}", files_hash,
                     generation.Traits(picture.shape, translator.style_size, "normal"),
                     functools.partial(translator.floats, picture, direction), translator.styles, translator, batch)


def hash_of(gan, networks):
    """SHA-256 of the weights of `networks` and of the number of images that the GAN has seen."""
    state = hashlib.sha256(str(int(gan.images_seen.numpy())).encode())
    for network in networks:
        for variable in network.variables:
            state.update(variable.numpy().tobytes())
    return state.hexdigest()


def _export(folder, label):
    facts = generation.traits_of_savedmodel(folder)
    _label(str(folder), facts, label)  # before the work of loading
    loaded = savedmodel.load(folder, ["draw", "latents"])
    return _ours(str(folder), folder_hash(folder), facts, loaded.signatures, label, loaded)


def _ours(name, files_hash, facts, functions, label, owner):
    number = _label(name, facts, label)
    latents_to_images = functions["latents"]

    def generate(latents):
        labels = {} if number is None else {"labels": tf.fill([tf.shape(latents)[0]], tf.constant(number, tf.int64))}
        return latents_to_images(latents=latents, **labels)["images"]

    name = name if number is None else f"{name}, class {facts.class_name(number)}"
    return Generator(name, files_hash, facts, generate, generation.Sampler(facts, functions, owner).latents, owner)


def _label(name, facts, label):
    """The number of the class, or None. Raises UserError for an unknown, missing or superfluous label."""
    if label is None and facts.num_classes is not None:
        classes = facts.class_names or [f"0 to {facts.num_classes - 1}"]
        raise UserError(f"{printable(name)} needs a label; possible: {', '.join(map(printable, classes))}")
    return None if label is None else facts.label(label)


def _loaded(folder):
    """Loads a third-party SavedModel. Raises UserError if it is damaged."""
    # A module in TF1 hub format may hold several graphs; the one without tags is for inference, as in hub.load.
    return savedmodel.load(folder, tags=[] if (folder / _TF1_HUB_FILE).is_file() else None)


def _of_others(loaded, where, folder):
    what, function, latent_size = _entry(loaded, where)

    def draw(num, seed):
        return tf.random.stateless_normal([num, latent_size], fold(seed, "latents")).numpy()

    def generate(latents):
        return tf.nest.flatten(function(latents))[0]

    try:
        with quiet.captured():  # TensorFlow may print warnings at the first run
            outputs = function(tf.zeros([1, latent_size]))  # the signature may not tell the shapes
    except Exception as error:  # third-party code may raise anything
        raise UserError(f"{what} does not run: {reason(error)}") from error
    outputs = outputs if isinstance(outputs, dict) else dict(enumerate(tf.nest.flatten(outputs)))
    images = next(iter(outputs.values()), None)
    if len(outputs) != 1 or images.dtype != tf.float32 or images.shape.rank != 4 or images.shape[0] != 1 \
            or images.shape[3] not in (1, 3):
        raise UserError(f"{what} gives {_listed(outputs)} for one latent; {_NEEDED}")
    values = generate(tf.constant(draw(_TRIED, 0))).numpy()
    if np.mean((values < _LOWEST) | (values > _HIGHEST)) > _BEYOND:
        raise UserError(f"{what} gives values from {values.min():.3g} to {values.max():.3g}; {_NEEDED}")
    facts = generation.Traits(tuple(images.shape[1:]), latent_size, "normal")
    return Generator(where, folder_hash(folder), facts, generate, draw, loaded)


def _entry(loaded, where):
    """Returns (name for messages, function of latents, latent_size). Raises UserError if nothing generates images."""
    signatures = getattr(loaded, "signatures", {})
    name = next((name for name in SIGNATURES if name in signatures), None)
    if name is not None:
        signature, what = signatures[name], f"signature {name} of {printable(where)}"
        inputs = signature.structured_input_signature[1]
        if not _takes_latents(inputs):
            raise UserError(f"{what} takes {_listed(inputs)}; {_NEEDED}")
        (key, spec), = inputs.items()
        return what, functools.partial(_call, signature, key), spec.shape[1]
    variants = [_tensors(variant) for variant in getattr(getattr(loaded, "__call__", None), "concrete_functions", [])]
    for inputs in variants:
        if _takes_latents(inputs):
            return printable(where), loaded, next(iter(inputs.values())).shape[1]
    if variants:
        raise UserError(f"{printable(where)}, called, takes {' or '.join(map(_listed, variants))}; {_NEEDED}")
    raise UserError(f"{printable(where)} has no signature {' or '.join(SIGNATURES)}, and cannot be called; it has: "
                    f"{', '.join(map(printable, sorted(signatures))) or 'none'}")


def _call(signature, key, latents):
    return signature(**{key: latents})


def _tensors(concrete_function):
    """{name: spec} of its tensor arguments, without others such as training=False."""
    specs = tf.nest.flatten(concrete_function.structured_input_signature)
    return {spec.name or number: spec for number, spec in enumerate(specs) if isinstance(spec, tf.TensorSpec)}


def _takes_latents(inputs):
    spec = next(iter(inputs.values()), None)
    return (len(inputs) == 1 and spec.dtype == tf.float32 and spec.shape.rank == 2 and spec.shape[0] is None
            and bool(spec.shape[1]))


def _listed(tensors):
    """Names, types and shapes of {name or number: tensor or spec}."""
    named = sorted(tensors.items(), key=lambda item: str(item[0]))  # TensorFlow guarantees no order
    return ", ".join(f"{name} {value.dtype.name} {_shape(value.shape)}" for name, value in named) or "nothing"


def _shape(shape):
    return "of any shape" if shape.rank is None else str(shape.as_list())
