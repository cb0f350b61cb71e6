"""CycleGAN: unpaired image-to-image translation (Zhu et al. 2017, arXiv 1703.10593).

Domain x is A in files and flags, domain y is B. `generator_xy` is the paper's G: X -> Y, `generator_yx` its F: Y -> X.

By default each domain has a second discriminator, which the paper has not: one that looks through a frozen network
(`networks.projected`).
"""
import functools
from typing import Optional

import tensorflow as tf

from tf2gan.gans import base, diagnosis, losses
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.cyclegan import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.image_pool import ImagePool
from tf2gan.networks import efficientnet, layers
from tf2gan.networks import own as own_networks
from tf2gan.networks.patchgan import PatchGAN, TwoScalePatchGAN
from tf2gan.networks.projected import ProjectedDiscriminator, example_maps
from tf2gan.networks.resnet import ResNet
from tf2gan.networks.resunet import ResUNet
from tf2gan.networks.unet import UNet

DISCRIMINATORS = {
    "two-scale": TwoScalePatchGAN,
    "patchgan": PatchGAN,
    # The paper's: patches of 70x70 pixels, and normalization before the activation.
    "patchgan-70": functools.partial(PatchGAN, strides=(2, 2, 2, 1), norm_first=True)}


class CycleGAN(base.GAN):
    """Two generators, two discriminators; the generators share one optimizer, the discriminators another."""

    Config = Config
    abilities = Abilities(directions=("a2b", "b2a"))
    presets, preset_options = PRESETS, PRESET_OPTIONS
    takes_networks = ("generator",)
    splits = ("trainA", "trainB", "testA", "testB")

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        config.check()
        super().__init__(config, total_images, own)
        self.generator_xy = self.make_generator("generator_xy")
        self.generator_yx = self.make_generator("generator_yx")
        self.discriminator_x = self.make_discriminator("discriminator_x")
        self.discriminator_y = self.make_discriminator("discriminator_y")
        if config.projected_weight:
            self.frozen = efficientnet.EfficientNetLite0()
            self.projected_x = self.make_projected("projected_x")
            self.projected_y = self.make_projected("projected_y")
        self.average_xy = self.average_of(self.generator_xy, functools.partial(self.make_generator, "average_xy"),
                                          config.ema_decay)
        self.average_yx = self.average_of(self.generator_yx, functools.partial(self.make_generator, "average_yx"),
                                          config.ema_decay)
        self.generator_optimizer = self._optimizer()
        self.discriminator_optimizer = self._optimizer()
        self.pool_x = ImagePool(config.pool_size, [*config.image_shape, 3], name="pool_x")
        self.pool_y = ImagePool(config.pool_size, [*config.image_shape, 3], name="pool_y")
        self.generator_variables = self.generator_xy.trainable_variables + self.generator_yx.trainable_variables
        self.discriminator_variables = [
            variable for name, (network, _) in self.networks.items() if not name.startswith("generator")
            for variable in network.trainable_variables]
        self.build_all([(self.generator_optimizer, self.generator_variables),
                        (self.discriminator_optimizer, self.discriminator_variables)])

    def make_generator(self, name):
        """A network from images to images of their size, built."""
        config, image = self.config, self._example()
        if "generator" in self.own:
            return own_networks.check(self.own["generator"](name, config.size_rule), [image], image.shape.as_list(),
                                      "generator")
        if config.generator == "resnet":
            num_blocks = config.num_blocks or (9 if min(config.image_shape) >= 256 else 6)
            network = ResNet(filters=config.generator_filters or 64, num_blocks=num_blocks, name=name)
        elif config.generator == "unet":
            network = UNet(filters=config.generator_filters or 32, dropout=config.dropout, name=name)
        else:
            network = ResUNet(filters=config.generator_filters or 32, num_blocks=config.num_blocks or 4, name=name)
        network(image)
        return network

    def make_discriminator(self, name):
        """A network from images to maps of logits, built."""
        network = DISCRIMINATORS[self.config.discriminator](self.config.discriminator_filters, name=name)
        network(self._example())
        return network

    def make_projected(self, name):
        """A network from the frozen network's maps to maps of logits, built."""
        network = ProjectedDiscriminator(self.config.discriminator_filters, name=name)
        network(example_maps(*self.config.image_shape))
        return network

    def _example(self):
        return tf.zeros([1, *self.config.image_shape, 3])

    def _optimizer(self):
        config = self.config
        return self.make_optimizer(config.optimizer, config.learning_rate, config.beta_1,
                                   decay=config.learning_rate_decay)

    @property
    def networks(self):
        names = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
        found = {name: (getattr(self, name), [self._example()]) for name in names}
        if self.config.projected_weight:
            maps = example_maps(*self.config.image_shape)
            found.update(projected_x=(self.projected_x, [maps]), projected_y=(self.projected_y, [maps]))
        return found

    def batch_spec(self, batch_size):
        images = tf.TensorSpec([batch_size, *self.config.image_shape, 3], tf.float32)
        return {"x": images, "y": images}

    def train_step(self, batch):
        """One update of the generators, then one of the discriminators (Zhu et al. 2017, eq. 3 and sec. 4).

        `batch`: {"x", "y"}, each float32 [batch, height, width, 3] in [-1, 1]. Returns the terms of both losses.
        """
        real_x, real_y = batch["x"], batch["y"]
        (generator_loss, (logs, fake_x, fake_y)) = self.minimize(
            lambda: self.generators_loss(real_x, real_y), self.generator_optimizer, self.generator_variables)
        shown_x = self.pool_x.query(fake_x, self.seed_for("pool_x"))
        shown_y = self.pool_y.query(fake_y, self.seed_for("pool_y"))
        (discriminator_loss, terms) = self.minimize(
            lambda: self.discriminators_loss(real_x, shown_x, real_y, shown_y),
            self.discriminator_optimizer, self.discriminator_variables)
        return {**logs, "generator_loss": generator_loss, **terms, "discriminator_loss": discriminator_loss}

    def generators_loss(self, real_x, real_y):
        """Weighted sum of the terms whose weight is not 0; also returns these terms and the translated images."""
        config, logs, loss = self.config, {}, 0.0
        fake_y, same_y = self._translate_and_keep(self.generator_xy, real_x, real_y, "dropout_xy")
        fake_x, same_x = self._translate_and_keep(self.generator_yx, real_y, real_x, "dropout_yx")
        if config.adversarial_weight:
            logs["adversarial_xy"] = losses.least_squares_generator(self.discriminator_y(fake_y, training=True))
            logs["adversarial_yx"] = losses.least_squares_generator(self.discriminator_x(fake_x, training=True))
            loss += config.adversarial_weight * (logs["adversarial_xy"] + logs["adversarial_yx"])
        if config.projected_weight:
            for direction, logits in zip(("yx", "xy"), self.projected_logits([fake_x], [fake_y], "part_generated")):
                logs[f"projected_{direction}"] = mean(losses.wasserstein_generator, logits)
                loss += config.projected_weight * logs[f"projected_{direction}"]
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
        loss, logs = 0.0, {}
        for name, discriminator, real, fake in (("x", self.discriminator_x, real_x, fake_x),
                                                ("y", self.discriminator_y, real_y, fake_y)):
            real_logits, fake_logits = tf.split(discriminator(tf.concat([real, fake], axis=0), training=True), 2)
            loss += losses.least_squares_discriminator(real_logits, fake_logits)
            logs[f"real_accuracy_{name}"] = tf.reduce_mean(tf.cast(real_logits > 0.5, tf.float32))
            logs[f"fake_accuracy_{name}"] = tf.reduce_mean(tf.cast(fake_logits <= 0.5, tf.float32))
        if self.config.projected_weight:
            both = self.projected_logits([real_x, fake_x], [real_y, fake_y], "part")
            for name, logits in zip("xy", both):
                logs[f"projected_loss_{name}"] = mean(
                    lambda each: losses.hinge_discriminator(*tf.split(each, 2)), logits)
                loss += logs[f"projected_loss_{name}"]
        return loss, logs

    def projected_logits(self, of_x, of_y, purpose):
        """Logits of the projected discriminators: a list of maps for the images `of_x`, and one for those `of_y`.

        `of_x`, `of_y`: equally many batches of images [n, height, width, 3], whose logits follow each other. The
        discriminators see a random part of each image, seven eighths of its height and width: what they see does not
        always end where the image ends, so they teach no texture that is to be found in one corner.
        """
        parts = [self._random_part(images, f"{purpose}_{i}") for i, images in enumerate([*of_x, *of_y])]
        maps = [tf.split(each, 2) for each in self.frozen.maps(127.5 * (tf.concat(parts, axis=0) + 1.0))]
        return (self.projected_x([x for x, _ in maps], training=True),
                self.projected_y([y for _, y in maps], training=True))

    def _random_part(self, images, purpose):
        num, *sizes = images.shape[:3]
        height, width = (size * 7 // 8 for size in sizes)
        spare = tf.constant([sizes[0] - height + 1, sizes[1] - width + 1], tf.float32)
        offsets = tf.cast(tf.transpose(self.draw("uniform", [num, 2], purpose) * spare), tf.int32)
        return tf.ensure_shape(layers.cropped(images, height, width, offsets), [num, height, width, 3])

    def diagnose(self, history):
        return diagnosis.of_translation(history, self.config)

    def checked(self):
        return [diagnosis.CHECKS[name] for name in diagnosis.OF_TRANSLATION]

    def restored(self, num_replicas):
        for pool in (self.pool_x, self.pool_y):
            pool.copy_first_replica(num_replicas)

    def generate(self, inputs, direction="a2b"):
        """Translates images, float32 [batch, height, width, 3] in [-1, 1], of a size that the generator takes."""
        return self.translating_network(direction)(inputs, training=False)

    def translating_network(self, direction):
        """The network that translates in this direction, with the averaged weights if there are any."""
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


def mean(loss, logits):
    """The mean of `loss` over several maps of logits."""
    return tf.add_n([loss(each) for each in logits]) / len(logits)
