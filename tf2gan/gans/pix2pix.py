"""pix2pix: image-to-image translation from pairs (Isola et al. 2016, arXiv 1611.07004).

The discriminator sees the input x beside the target y, or beside what the generator makes of x:

    D:  min  1/2 (-mean(log D(x, y)) - mean(log(1 - D(x, G(x)))))
    G:  min  -mean(log D(x, G(x))) + 100 mean(|y - G(x)|)

The generator's noise is dropout. With `projected_weight`, a discriminator on the maps of a frozen network judges
targets and generated images beside that, without the inputs (`gans.projected`).
"""
from typing import Optional

import tensorflow as tf

from tf2gan.core.colors import grey
from tf2gan.gans import losses
from tf2gan.gans.configs.pix2pix import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.translation import OneWayGAN, residual_generator
from tf2gan.networks.patchgan import DISCRIMINATORS
from tf2gan.networks.pix2pix import DeepUNet


class Pix2Pix(OneWayGAN):
    """A generator from inputs to targets, and a discriminator of pairs."""

    Config = Config
    presets, preset_options = PRESETS, PRESET_OPTIONS

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        super().__init__(config, total_images, own)
        self.generator = self.make_generator("generator")
        self.discriminator = DISCRIMINATORS["patchgan-70"](config.discriminator_filters, name="discriminator")
        self.discriminator(tf.concat([self.example()] * 2, axis=-1))
        discriminator_variables = list(self.discriminator.trainable_variables)
        for network, _ in self.make_projected().values():
            discriminator_variables += network.trainable_variables
        self.average = self.make_average("average", self.generator)
        self.make_optimizers(self.generator.trainable_variables, discriminator_variables)

    def new_generator(self, name):
        config = self.config
        if config.generator != "unet":
            return residual_generator(config, name)
        return DeepUNet(min(config.image_shape), filters=config.generator_filters or 64, dropout=config.dropout_rate,
                        name=name)

    @property
    def networks(self):
        return {"generator": (self.generator, [self.example()]),
                "discriminator": (self.discriminator, [tf.concat([self.example()] * 2, axis=-1)]),
                **(self.projected.networks if self.config.projected_weight else {})}

    def train_step(self, batch):
        """One update of the generator, then one of the discriminator (sec. 3.3), from the same generated images.

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1]; image i of x and of y are a pair.
        """
        inputs, targets = self.ends(batch)
        generator_loss, (terms, fake) = self.minimize(
            lambda: self.generator_loss(inputs, targets), self.generator_optimizer, self.generator_variables)
        fake = tf.stop_gradient(fake)
        discriminator_loss, logs = self.minimize(
            lambda: self.discriminator_loss(inputs, targets, fake),
            self.discriminator_optimizer, self.discriminator_variables)
        self.take_signs(logs)
        return {**terms, "generator_loss": generator_loss, **logs, "discriminator_loss": discriminator_loss}

    def discriminator_loss(self, inputs, targets, fake):
        """Half the loss on true pairs and on those with a generated target, and `projected`'s; also the accuracies."""
        targets, fake = self.shown(targets, "real"), self.shown(fake, "fake")
        pairs = tf.concat([tf.concat([self.shown(inputs, "real"), targets], axis=-1),
                           tf.concat([self.shown(inputs, "fake"), fake], axis=-1)], axis=0)
        real_logits, fake_logits = tf.split(self.discriminator(pairs, training=True), 2)
        loss = 0.5 * losses.minimax_discriminator(real_logits, fake_logits)
        logs = {"real_accuracy": tf.reduce_mean(tf.cast(real_logits > 0.0, tf.float32)),
                "fake_accuracy": tf.reduce_mean(tf.cast(fake_logits <= 0.0, tf.float32))}
        self.note_signs(logs, real_logits, 0.0)
        if self.config.projected_weight:
            loss += self.judged(targets, fake, logs)
        return loss, logs

    def generator_loss(self, inputs, targets):
        """Weighted sum of the terms whose weight is not 0; also returns these terms and the generated images."""
        config, logs, loss = self.config, {}, 0.0
        fake = self.generator(inputs, training=True, seed=self.seed_for("dropout"))
        shown = self.shown(fake, "generator")
        if config.adversarial_weight:
            logits = self.discriminator(tf.concat([self.shown(inputs, "generator"), shown], axis=-1), training=True)
            logs["adversarial"] = losses.non_saturating_generator(logits)
            loss += config.adversarial_weight * logs["adversarial"]
        if config.projected_weight:
            loss += self.fooled(shown, logs)
        if config.l1_weight:
            logs["l1"] = losses.mean_absolute_error(fake, targets)
            loss += config.l1_weight * logs["l1"]
        return loss, (logs, fake)

    def generate(self, inputs, direction=None, seed=None):
        """Translates images, float32 [batch, height, width, 3] in [-1, 1], of a size that the generator takes.

        With `noise_in_use`, dropout stays on; `seed`: int tensor [2] of its dice, None: others at each call.
        """
        if self.config.input_from == "grey":
            inputs = grey(inputs)  # so that a picture in colour can be given, too
        if not self.config.noise_in_use:
            return self.average(inputs, training=False)
        if seed is None:
            seed = tf.random.uniform([2], maxval=tf.int64.max, dtype=tf.int64)
        return self.average(inputs, training=True, seed=seed)

    def sample(self, inputs):
        """Translates fixed images: {direction: [batch, 3 columns, height, width, 3]} in [-1, 1].

        `inputs`: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1], in pairs.
        """
        images, targets = self.ends(inputs)
        made = self.generate(images, seed=tf.constant([self.config.seed, 0], tf.int64))
        return {self.config.direction: tf.stack([images, made, targets], axis=1)}

    def sample_titles(self):
        return {self.config.direction: {"column_titles": ("input", "generated", "target")}}
