"""A trained model of any origin: a run, an export, a third-party generator."""
import os

import numpy as np

from tf2gan.api.picture import Picture, grid
from tf2gan.api.session import networks_given
from tf2gan.core import downloads
from tf2gan.core.errors import UserError, printable
from tf2gan.gans.abilities import Abilities
from tf2gan.latent_space import generators
from tf2gan.models import classification, generation, translation
from tf2gan.runs.restore import load_gan


def load(where, checkpoint="latest", weights="averaged", generator=None, discriminator=None) -> "Model":
    """The model at `where`.

    Args:
        where: the folder of a run; an export, savedmodels/NAME (its highest version) or savedmodels/NAME/VERSION; a
            third-party generator: a folder in TF1 hub format, a SavedModel, or a handle, https://...
        checkpoint: of a run: "latest", "best", or the number of images of an existing one.
        weights: of a run: "averaged", or "raw": as trained.
        generator, discriminator: the own networks that a run was trained with, if any, as `tf2gan.train` takes them.

    Raises UserError if there is no model, or if it cannot be read.
    """
    where = os.path.expanduser(os.fspath(where))
    if not downloads.is_handle(where) and os.path.isfile(os.path.join(where, "config.json")):
        gan, _ = load_gan(where, str(checkpoint), weights, networks_given(generator, discriminator))
        return Model.of_gan(gan, where)
    if (checkpoint, weights, generator, discriminator) != ("latest", "averaged", None, None):
        raise UserError(f"{printable(where)} is no run, which alone has checkpoints, raw weights and own networks")
    return Model.of_savedmodel(where)


class Model:
    """What `load` returns. `abilities` says what it can do; all else raises UserError.

    Attributes: `name`; `abilities`, gans.abilities.Abilities; `image_shape`, (height, width, channels) of the images
    that it makes from latents or classifies, or None; `class_names`, a tuple, or None.
    """

    def __init__(self, name, abilities, sampler=None, translator=None, classifier=None):
        self.name, self.abilities = name, abilities
        self._sampler, self._translator, self._classifier = sampler, translator, classifier
        known = classifier or sampler
        self.image_shape = known and tuple(known.image_shape)
        self.class_names = known and known.class_names

    @classmethod
    def of_gan(cls, gan, name):
        """A Model of a GAN in memory."""
        can = gan.abilities
        return cls(name, can, generation.Sampler.from_gan(gan) if can.samples else None,
                   translation.Translator.from_gan(gan) if can.translates else None,
                   classification.Classifier.from_gan(gan) if can.classifies else None)

    @classmethod
    def of_savedmodel(cls, where):
        """A Model of an export, or of a third-party generator."""
        if downloads.is_handle(where) or not generation.has_card(where):
            generator = generators.load(where)
            return cls(where, Abilities(samples=True), _OfOthers(generator))
        can = generation.abilities_of_card(generation.card_of_savedmodel(where))
        return cls(where, can, generation.Sampler.from_savedmodel(where) if can.samples else None,
                   translation.Translator.from_savedmodel(where, can.directions) if can.translates else None,
                   classification.Classifier.from_savedmodel(where) if can.classifies else None)

    def sample(self, num=16, seed=0, labels=None, truncation=None):
        """np.uint8 [num, height, width, channels]: the images of the first `num` latents of a seed.

        Args:
            labels: for a model that takes labels: one class for all, or one for each image, by name or number; None:
                the classes in turn.
            truncation: upper limit for the absolute values of latents; None: no limit.

        Raises UserError for unknown classes and invalid truncations.
        """
        sampler = self._able("samples", self._sampler, "make images from latents")
        if not isinstance(num, int) or num < 1:
            raise UserError(f"num {num}: must be an int from 1 on")
        latents = sampler.latents(num, seed, truncation)
        return self.images(latents, labels)

    def images(self, latents, labels=None):
        """np.uint8 [num, height, width, channels] from latents [num, latent_size]; `labels` as for `sample`."""
        sampler = self._able("samples", self._sampler, "make images from latents")
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != sampler.latent_size:
            raise UserError(f"latents: {list(latents.shape)}; needed: [num, {sampler.latent_size}]")
        return sampler.images(latents, self._labels(sampler, labels, len(latents)))

    def latents(self, num, seed=0, truncation=None):
        """np.float32 [num, latent_size]: the first `num` latents of a seed."""
        return self._able("samples", self._sampler, "make images from latents").latents(num, seed, truncation)

    def grid(self, num=16, seed=0, labels=None, truncation=None) -> Picture:
        """The images of `sample` as one Picture, which a notebook displays."""
        return grid(self.sample(num, seed, labels, truncation))

    def translate(self, pictures, direction=None, styles=None):
        """Translates np.uint8 [height, width, 3], of any size, or several: [n, height, width, 3], or a list.

        Args:
            direction: "a2b" or "b2a"; None: the only one that the model has, or "a2b".
            styles: for a model with styles, one for all, [style_size], or one for each picture, [n, style_size]; None:
                the first style of seed 0.

        Returns a list for a list, and an array of the same shape for an array. Raises UserError for other pictures and
        styles, and for an unknown direction.
        """
        translator = self._able("translates", self._translator, "translate images")
        direction = direction or translator.directions[0]
        several = isinstance(pictures, (list, tuple)) or np.ndim(pictures) == 4
        given = [_picture(picture) for picture in (pictures if several else [pictures])]
        made = [translator(picture, direction, style)
                for picture, style in zip(given, self._styles(styles, len(given)))]
        if isinstance(pictures, (list, tuple)):
            return made
        return np.stack(made) if several else made[0]

    def styles(self, num, seed=0):
        """np.float32 [num, style_size]: the first `num` styles of a seed, for `translate`.

        Raises UserError for a model without styles, whose translations have one outcome.
        """
        return self._with_styles().styles(num, seed)

    def style_of(self, picture, direction=None):
        """np.float32 [style_size]: the style that makes `direction` ("a2b" by default) give pictures like this one.

        `picture`: np.uint8 [height, width, 3], such as come out. Raises UserError for a model without styles.
        """
        translator = self._with_styles()
        return translator.style_of(_picture(picture), direction or translator.directions[0])

    def _with_styles(self):
        translator = self._able("translates", self._translator, "translate images")
        translator.check_styles()
        return translator

    def _styles(self, styles, num):
        """One style, or None, for each of `num` pictures."""
        if styles is None:
            return [None] * num
        size, styles = self._with_styles().style_size, np.asarray(styles, np.float32)
        if styles.shape not in ((size,), (num, size)):
            raise UserError(f"styles: {list(styles.shape)}; needed: [{size}], or [{num}, {size}]")
        return np.broadcast_to(styles, [num, size])

    def classify(self, pictures) -> dict:
        """Classifies np.uint8 pictures: [n, height, width, 1 or 3], or a list of pictures of any size.

        Returns {"labels": int64 [n], "names": [n], "probabilities": float32 [n, classes]}. Raises UserError for other
        pictures.
        """
        classifier = self._able("classifies", self._classifier, "classify images")
        pictures = [_picture(picture, channels=(1, 3)) for picture in pictures]
        if not pictures:
            raise UserError("pictures: there are none")
        fitted = np.stack([classifier.fitted(np.repeat(picture, 3, -1) if picture.shape[-1] == 1 else picture)
                           for picture in pictures])
        probabilities = classifier.probabilities(fitted)
        labels = probabilities.argmax(axis=1)
        return {"labels": labels, "names": [classifier.class_names[label] for label in labels],
                "probabilities": probabilities}

    def _able(self, ability, part, what):
        if not getattr(self.abilities, ability):
            can = [name for name in ("samples", "translates", "classifies") if getattr(self.abilities, name)]
            raise UserError(f"{printable(self.name)} does not {what}; it {' and '.join(can)}")
        return part

    @staticmethod
    def _labels(sampler, labels, num):
        if sampler.num_classes is None:
            if labels is not None:
                raise UserError(f"labels {labels!r}: this model takes no labels")
            return None
        if labels is None:
            return np.arange(num) % sampler.num_classes
        found = [sampler.traits.label(str(label)) for label in ([labels] if np.ndim(labels) == 0 else labels)]
        if len(found) not in (1, num):
            raise UserError(f"labels: {len(found)} for {num} images; needed: one for all, or one for each")
        return np.array(found * (num if len(found) == 1 else 1))

    def __repr__(self):
        can = [name for name in ("samples", "translates", "classifies") if getattr(self.abilities, name)]
        return f"<Model {self.name}: {', '.join(can)}>"


class _OfOthers:
    """Gives a third-party generator the interface of a sampler."""

    num_classes = class_names = None

    def __init__(self, generator):
        self._generator, self.latent_size = generator, generator.latent_size
        self.image_shape = (*generator.image_size, generator.channels)

    def latents(self, num, seed, truncation=None):
        if truncation is not None:
            raise UserError(f"truncation {truncation}: is not for models of others")
        return self._generator.latents(num, seed)

    def images(self, latents, labels=None):
        return self._generator.pictures(latents)


def _picture(picture, channels=(3,)):
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] not in channels or not picture.size:
        raise UserError(f"a picture is uint8 [height, width, {' or '.join(map(str, channels))}]; this is "
                        f"{picture.dtype} {list(picture.shape)}")
    return picture
