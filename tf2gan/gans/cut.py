"""CUT: contrastive unpaired translation in one direction (Park et al. 2020, arXiv 2007.15651).

There is no way back and no cycle. What ties an output to its input is the encoder half of the generator itself: its
features v at a place of the output have to tell the same place of the input, v+, from the other places of it, v-:

    PatchNCE(x):  mean over depths and places of  -log(exp(v v+ / t) / (exp(v v+ / t) + sum exp(v v- / t)))
    G:            min  mean((D(G(x)) - 1)^2) + PatchNCE(x) + PatchNCE(y)
    D:            min  1/2 mean((D(y) - 1)^2) + 1/2 mean(D(G(x))^2)

PatchNCE(y), from targets as inputs, replaces the identity loss. x and y here are inputs and targets of one direction.
"""
from typing import Optional

import tensorflow as tf

from tf2gan.gans import losses
from tf2gan.gans.configs.cut import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.translation import OneWayGAN, residual_generator
from tf2gan.networks.patches import PatchVectors
from tf2gan.networks.patchgan import DISCRIMINATORS


class CUT(OneWayGAN):
    """A generator, a discriminator of targets, and two dense layers on the generator's features of each depth."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS
    takes_networks = ()  # the loss reads the generator's features

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        super().__init__(config, total_images, own)
        self.generator = self.make_generator("generator")
        self.discriminator = DISCRIMINATORS[config.discriminator](config.discriminator_filters, name="discriminator")
        self.discriminator(self.example())
        maps = self.generator.features(self.example())
        self.vectors = PatchVectors(len(maps), config.vector_size, name="patches")
        self.vectors(maps, [tf.range(2)] * len(maps))
        self._example_maps = [tf.zeros(each.shape) for each in maps]
        discriminator_variables = list(self.discriminator.trainable_variables)
        for network, _ in self.make_projected().values():
            discriminator_variables += network.trainable_variables
        self.average = self.make_average("average", self.generator)
        self.make_optimizers(self.generator.trainable_variables + self.vectors.trainable_variables,
                             discriminator_variables)

    def new_generator(self, name):
        return residual_generator(self.config, name)

    @property
    def networks(self):
        return {"generator": (self.generator, [self.example()]),
                "discriminator": (self.discriminator, [self.example()]),
                "patches": (self.vectors, [self._example_maps, [tf.range(2)] * len(self._example_maps)]),
                **(self.projected.networks if self.config.projected_weight else {})}

    def train_step(self, batch):
        """One update of the generator, then one of the discriminator, from the same generated images.

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1], which do not belong together.
        """
        inputs, targets = self.ends(batch)
        generator_loss, (terms, fake) = self.minimize(
            lambda: self.generator_loss(inputs, targets), self.generator_optimizer, self.generator_variables)
        fake = tf.stop_gradient(fake)
        discriminator_loss, logs = self.minimize(
            lambda: self.discriminator_loss(targets, fake), self.discriminator_optimizer, self.discriminator_variables)
        self.take_signs(logs)
        return {**terms, "generator_loss": generator_loss, **logs, "discriminator_loss": discriminator_loss}

    def generator_loss(self, inputs, targets):
        """Weighted sum of the terms whose weight is not 0; also returns these terms and the generated images."""
        config, logs = self.config, {}
        originals = tf.concat([inputs, targets], axis=0) if config.identity else inputs
        flip = self._flip()
        # One pass gives the images, and the features of the originals; a second one those of the images.
        made, features = self.generator.with_features(_flipped(originals, flip))
        fake = made[:inputs.shape[0]]
        shown = self.shown(fake, "generator")
        logs["adversarial"] = losses.least_squares_generator(self.discriminator(shown, training=True))
        loss = config.adversarial_weight * logs["adversarial"]
        if config.projected_weight:
            loss += self.fooled(shown, logs)
        if config.nce_weight:
            contrasts = self._contrasts(originals, features, made, flip)
            names = ("nce", "nce_identity") if config.identity else ("nce",)
            for name, each in zip(names, tf.split(contrasts, len(names))):
                logs[name] = tf.reduce_mean(each)
                loss += config.nce_weight * logs[name]
        return loss, (logs, fake)

    def _contrasts(self, originals, features, made, flip):
        """PatchNCE of each image, float32 [n]. `features`: of the originals, flipped as `flip` says."""
        if self.config.flip_equivariance:
            # The features of the flipped output, flipped back, are compared with those of the image as it is.
            features = self.generator.features(originals)
        found = [_flipped(each, flip) for each in self.generator.features(made)]
        places = [self._places(each.shape[1] * each.shape[2], f"places_{i}") for i, each in enumerate(found)]
        pairs = zip(self.vectors(found, places), self.vectors([tf.stop_gradient(each) for each in features], places))
        return tf.add_n([losses.contrasts(ours, tf.stop_gradient(theirs), self.config.temperature)
                         for ours, theirs in pairs]) / len(found)

    def _places(self, num, purpose):
        """Indices of different pixels of a map, the same for all images of the step: int32 [at most `num_patches`]."""
        order = tf.argsort(self.draw_alike([num], purpose))
        return order[:min(num, self.config.num_patches)]

    def _flip(self):
        """Whether this step's images pass the generator flipped; None: never."""
        return self.draw_alike([], "flip") < 0.5 if self.config.flip_equivariance else None

    def discriminator_loss(self, targets, fake):
        """The sum of both discriminators' losses; also the accuracy of the PatchGAN on real and generated images."""
        targets, fake = self.shown(targets, "real"), self.shown(fake, "fake")
        real_logits, fake_logits = tf.split(self.discriminator(tf.concat([targets, fake], axis=0), training=True), 2)
        loss = losses.least_squares_discriminator(real_logits, fake_logits)
        logs = {"real_accuracy": tf.reduce_mean(tf.cast(real_logits > 0.5, tf.float32)),
                "fake_accuracy": tf.reduce_mean(tf.cast(fake_logits <= 0.5, tf.float32))}
        self.note_signs(logs, real_logits, 0.5)
        if self.config.projected_weight:
            loss += self.judged(targets, fake, logs)
        return loss, logs

    def sample(self, inputs):
        """Translates fixed images: {direction: [batch, 3 columns, height, width, 3]} in [-1, 1].

        `inputs`: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].
        """
        images, targets = self.ends(inputs)
        direction = self.config.direction
        return {direction: tf.stack([images, self.generate(images, direction), self.generate(targets, direction)],
                                    axis=1)}

    def sample_titles(self):
        source, target = "AB" if self.config.direction == "a2b" else "BA"
        return {self.config.direction: {"column_titles": (f"input {source}", f"{source} to {target}",
                                                          f"{target} as input")}}


def _flipped(images, flip):
    """Horizontally if the bool `flip` is true; None: as they are."""
    return images if flip is None else tf.where(flip, images[:, :, ::-1], images)
