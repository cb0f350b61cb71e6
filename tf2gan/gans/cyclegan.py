"""CycleGAN: unpaired image-to-image translation (Zhu et al. 2017, arXiv 1703.10593).

Domain x is A in files and flags, domain y is B. `generator_xy` is the paper's G: X -> Y, `generator_yx` its F: Y -> X.

By default each domain has a second discriminator, which the paper has not: one that looks through a frozen network
(`gans.projected`).
"""
from typing import Optional

import tensorflow as tf

from tf2gan.gans import diagnosis, losses, projected
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.cyclegan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.translation import TranslatingGAN, residual_generator
from tf2gan.networks.patchgan import DISCRIMINATORS
from tf2gan.networks.unet import UNet


class CycleGAN(TranslatingGAN):
    """Two generators, two discriminators; the generators share one optimizer, the discriminators another."""

    Config = Config
    abilities = Abilities(directions=("a2b", "b2a"))
    presets, preset_options = PRESETS, PRESET_OPTIONS
    # Networks whose names begin so have the generators' optimizer, and that of the discriminators.
    generating, judging = ("generator",), ("discriminator", "projected")

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        super().__init__(config, total_images, own)
        self.generator_xy = self.make_generator("generator_xy")
        self.generator_yx = self.make_generator("generator_yx")
        self.discriminator_x = self.make_discriminator("discriminator_x")
        self.discriminator_y = self.make_discriminator("discriminator_y")
        if config.projected_weight:
            self.projected = projected.Projected(("projected_x", "projected_y"), config.image_shape,
                                                 config.discriminator_filters)
        self.average_xy = self.make_average("average_xy", self.generator_xy)
        self.average_yx = self.make_average("average_yx", self.generator_yx)
        self.pool_x, self.pool_y = self.make_pool("pool_x"), self.make_pool("pool_y")
        more = self.make_more()
        self.make_optimizers(*([variable for name, (network, _) in self.networks.items() if name.startswith(names)
                                for variable in network.trainable_variables]
                               for names in (self.generating, self.judging)), more)

    def make_more(self):
        """Creates what a method has that builds on this one; returns pairs (further optimizer, its variables)."""
        return ()

    def new_generator(self, name):
        config = self.config
        if config.generator == "unet":
            return UNet(filters=config.generator_filters or 32, dropout=config.dropout, name=name)
        return residual_generator(config, name)

    def make_discriminator(self, name):
        """A network from images to maps of logits, built."""
        network = DISCRIMINATORS[self.config.discriminator](self.config.discriminator_filters, name=name)
        network(self.example())
        return network

    @property
    def networks(self):
        names = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
        found = {name: (getattr(self, name), [self.example()]) for name in names}
        return {**found, **(self.projected.networks if self.config.projected_weight else {})}

    def train_step(self, batch):
        """One update of the generators, then one of the discriminators (Zhu et al. 2017, eq. 3 and sec. 4).

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1]. Returns the terms of both losses.
        """
        real_x, real_y = batch["x"], batch["y"]
        more = {name: part for name, part in batch.items() if name not in ("x", "y")}  # of methods that build on this
        (generator_loss, (logs, fake_x, fake_y)) = self.minimize(
            lambda: self.generators_loss(real_x, real_y, **more), self.generator_optimizer, self.generator_variables)
        shown_x = self.pool_x.query(fake_x, self.seed_for("pool_x"))
        shown_y = self.pool_y.query(fake_y, self.seed_for("pool_y"))
        (discriminator_loss, terms) = self.minimize(
            lambda: self.discriminators_loss(real_x, shown_x, real_y, shown_y),
            self.discriminator_optimizer, self.discriminator_variables)
        self.take_signs(terms)
        return {**logs, "generator_loss": generator_loss, **terms, "discriminator_loss": discriminator_loss}

    def generators_loss(self, real_x, real_y):
        """Weighted sum of the terms whose weight is not 0; also returns these terms and the translated images."""
        config, logs = self.config, {}
        fake_y, same_y = self._translate_and_keep(self.generator_xy, real_x, real_y, "dropout_xy")
        fake_x, same_x = self._translate_and_keep(self.generator_yx, real_y, real_x, "dropout_yx")
        loss = self.fooled(fake_x, fake_y, logs)
        if config.cycle_weight:
            cycled_x = self.generator_yx(fake_y, training=True, seed=self.seed_for("dropout_cycle_x"))
            cycled_y = self.generator_xy(fake_x, training=True, seed=self.seed_for("dropout_cycle_y"))
            logs["cycle_x"] = losses.mean_absolute_error(cycled_x, real_x)
            logs["cycle_y"] = losses.mean_absolute_error(cycled_y, real_y)
            loss += config.cycle_weight * (logs["cycle_x"] + logs["cycle_y"])
        if config.identity_weight:
            logs["identity_x"] = losses.mean_absolute_error(same_x, real_x)
            logs["identity_y"] = losses.mean_absolute_error(same_y, real_y)
            loss += config.identity_weight * (logs["identity_x"] + logs["identity_y"])
        return loss, (logs, fake_x, fake_y)

    def fooled(self, fake_x, fake_y, logs):
        """The weighted losses of generators whose images the discriminators judge; adds the plain ones to `logs`."""
        config, loss = self.config, 0.0
        shown_x, shown_y = self.shown(fake_x, "generator_x"), self.shown(fake_y, "generator_y")
        if config.adversarial_weight:
            logs["adversarial_xy"] = losses.least_squares_generator(self.discriminator_y(shown_y, training=True))
            logs["adversarial_yx"] = losses.least_squares_generator(self.discriminator_x(shown_x, training=True))
            loss += config.adversarial_weight * (logs["adversarial_xy"] + logs["adversarial_yx"])
        if config.projected_weight:
            logits = self.projected.logits({"projected_x": [shown_x], "projected_y": [shown_y]}, self.draw,
                                           "shift_generated")
            logs["projected_xy"] = projected.generator_loss(logits["projected_y"])
            logs["projected_yx"] = projected.generator_loss(logits["projected_x"])
            loss += config.projected_weight * (logs["projected_xy"] + logs["projected_yx"])
        return loss

    def _translate_and_keep(self, generator, inputs, targets, purpose):
        """generator(inputs), and generator(targets) for the identity loss, None if its weight is 0.

        Both pass as one batch: this is faster, and with instance normalization the results are the same.
        """
        seed = self.seed_for(purpose)
        if not self.config.identity_weight:
            return generator(inputs, training=True, seed=seed), None
        return tf.split(generator(tf.concat([inputs, targets], axis=0), training=True, seed=seed), 2)

    def discriminators_loss(self, real_x, fake_x, real_y, fake_y):
        """Sum of all discriminators' losses; also the accuracy of the PatchGANs on real and generated images."""
        loss, logs, judged = 0.0, {}, []
        real_x, fake_x, real_y, fake_y = (
            self.shown(images, purpose) for images, purpose in
            ((real_x, "real_x"), (fake_x, "fake_x"), (real_y, "real_y"), (fake_y, "fake_y")))
        for name, discriminator, real, fake in (("x", self.discriminator_x, real_x, fake_x),
                                                ("y", self.discriminator_y, real_y, fake_y)):
            real_logits, fake_logits = tf.split(discriminator(tf.concat([real, fake], axis=0), training=True), 2)
            loss += losses.least_squares_discriminator(real_logits, fake_logits)
            judged.append(real_logits)
            logs[f"real_accuracy_{name}"] = tf.reduce_mean(tf.cast(real_logits > 0.5, tf.float32))
            logs[f"fake_accuracy_{name}"] = tf.reduce_mean(tf.cast(fake_logits <= 0.5, tf.float32))
        self.note_signs(logs, tf.concat(judged, axis=0), 0.5)
        if self.config.projected_weight:
            images = {"projected_x": [real_x, fake_x], "projected_y": [real_y, fake_y]}
            logits = self.projected.logits(images, self.draw, "shift")
            for name in "xy":
                logs[f"projected_loss_{name}"] = projected.discriminator_loss(logits[f"projected_{name}"])
                loss += logs[f"projected_loss_{name}"]
        return loss, logs

    def diagnose(self, history):
        return diagnosis.of_translation(history, self.config)

    def checked(self):
        return [diagnosis.CHECKS[name] for name in diagnosis.OF_TRANSLATION]

    def translating_network(self, direction):
        return {"a2b": self.average_xy, "b2a": self.average_yx}[direction]

    def sample(self, inputs):
        """Translates fixed images in each direction: {direction: [batch, 4 columns, height, width, 3]} in [-1, 1].

        `inputs`: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].
        """
        def row(images, there, back):
            translated = self.generate(images, there)
            return tf.stack([images, translated, self.generate(translated, back), self.generate(images, back)], axis=1)

        return {"a2b": row(inputs["x"], "a2b", "b2a"), "b2a": row(inputs["y"], "b2a", "a2b")}

    def sample_titles(self):
        return {"a2b": {"column_titles": ("input A", "A to B", "A to B to A", "identity A")},
                "b2a": {"column_titles": ("input B", "B to A", "B to A to B", "identity B")}}
