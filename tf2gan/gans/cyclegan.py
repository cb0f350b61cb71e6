"""CycleGAN: unpaired image-to-image translation (Zhu et al. 2017, arXiv 1703.10593).

Domain x is A in files and flags, domain y is B. `generator_xy` is the paper's G: X -> Y, `generator_yx` its F: Y -> X.
"""
import dataclasses
from typing import Literal, Optional

import tensorflow as tf

from tf2gan import losses
from tf2gan.errors import UserError
from tf2gan.gans import gan
from tf2gan.networks.patchgan import PatchGAN
from tf2gan.networks.resnet import ResNet
from tf2gan.networks.unet import UNet
from tf2gan.pool import ImagePool


@dataclasses.dataclass(frozen=True)
class Config(gan.Config):
    """Options of CycleGAN."""

    dataset: str = "cycle_gan/apple2orange"  # a tensorflow-datasets name, or a folder with trainA trainB testA testB
    epochs: Optional[int] = 200  # the same, in passes over the larger of the two domains
    generator: Literal["unet", "resnet"] = "unet"  # generator network; resnet is the paper's, and several times slower
    generator_filters: Optional[int] = None  # channels of its first convolution; None: 32 for unet, 64 for resnet
    num_blocks: Optional[int] = None  # residual blocks of resnet; None: 6 below 256 pixels, 9 from there on
    dropout: float = 0.0  # rate in the decoder of unet
    discriminator_filters: int = 64  # channels of the discriminators' first convolution
    cycle_weight: float = 10.0  # of the forward and of the backward cycle consistency loss (the paper's lambda)
    identity_weight: float = 9.0  # of the identity loss; 0 saves its computation
    adversarial_weight: float = 1.0  # of the generators' least squares loss
    learning_rate: float = 2e-4  # of Adam, for generators and discriminators
    beta_1: float = 0.5  # of Adam
    learning_rate_decay: bool = False  # linear decay to 0 over the second half of training
    optimizer: Literal["adam", "sgd"] = "adam"  # optimizer of generators and discriminators
    pool_size: int = 50  # generated images kept for each discriminator; 0 is off
    load_scale: float = 286 / 256  # training images are resized to this times image_size, then cropped at random
    mirror: bool = True  # training images are mirrored at random

    @property
    def size_rule(self):
        """(multiple, minimum) that height and width must keep to for these networks."""
        networks = [UNet if self.generator == "unet" else ResNet, PatchGAN]
        return max(n.size_multiple for n in networks), max(n.size_minimum for n in networks)

    def check(self):
        super().check()
        multiple, minimum = self.size_rule
        if any(n % multiple or n < minimum for n in self.image_shape):
            raise UserError(f"--image-size {self.image_size}: height and width must be multiples of {multiple} and at "
                            f"least {minimum} for cyclegan")
        for name, low, high in (("dropout", 0, 0.99), ("cycle_weight", 0, None), ("identity_weight", 0, None),
                                ("adversarial_weight", 0, None), ("learning_rate", 0, None), ("beta_1", 0, 0.9999),
                                ("load_scale", 1, None), ("pool_size", 0, None), ("discriminator_filters", 1, None)):
            self.check_range(name, low, high)
        for name in ("generator_filters", "num_blocks"):
            if getattr(self, name) is not None:
                self.check_range(name, 1)
        if 0 < self.pool_size < self.batch_size:
            raise UserError(f"--pool-size {self.pool_size}: must be 0 or at least --batch-size {self.batch_size}")
        if not (self.cycle_weight or self.identity_weight or self.adversarial_weight):
            raise UserError("--cycle-weight, --identity-weight and --adversarial-weight are all 0: nothing to train")


class CycleGAN(gan.GAN):
    """Two generators, two discriminators; the generators share one optimizer, the discriminators another."""

    Config = Config
    presets = {
        "default": Config(),
        # Sec. 7.1 and 7.2, and the identity weight of the paper's public code: half the cycle weight.
        "paper": Config(generator="resnet", image_size="256", identity_weight=5.0, learning_rate_decay=True),
    }
    splits = ("trainA", "trainB", "testA", "testB")
    directions = {"a2b": "average_xy", "b2a": "average_yx"}

    def __init__(self, config: Config, total_images: Optional[int] = None):
        config.check()
        super().__init__(config, total_images)
        image = tf.zeros([1, *config.image_shape, 3])

        def built(network):
            network(image)
            return network

        def generator(name):
            if config.generator == "resnet":
                num_blocks = config.num_blocks or (9 if min(config.image_shape) >= 256 else 6)
                return built(ResNet(filters=config.generator_filters or 64, num_blocks=num_blocks, name=name))
            return built(UNet(filters=config.generator_filters or 32, dropout=config.dropout, name=name))

        self.generator_xy = generator("generator_xy")
        self.generator_yx = generator("generator_yx")
        self.discriminator_x = built(PatchGAN(config.discriminator_filters, name="discriminator_x"))
        self.discriminator_y = built(PatchGAN(config.discriminator_filters, name="discriminator_y"))
        self.average_xy = self.average_of(self.generator_xy, lambda: generator("average_xy"), config.ema_decay)
        self.average_yx = self.average_of(self.generator_yx, lambda: generator("average_yx"), config.ema_decay)
        self.generator_optimizer = self._optimizer()
        self.discriminator_optimizer = self._optimizer()
        self.pool_x = ImagePool(config.pool_size, image.shape[1:], name="pool_x")
        self.pool_y = ImagePool(config.pool_size, image.shape[1:], name="pool_y")
        self.generator_variables = self.generator_xy.trainable_variables + self.generator_yx.trainable_variables
        self.discriminator_variables = (self.discriminator_x.trainable_variables
                                        + self.discriminator_y.trainable_variables)
        self.build_all([(self.generator_optimizer, self.generator_variables),
                        (self.discriminator_optimizer, self.discriminator_variables)])

    def _optimizer(self):
        config = self.config
        return self.make_optimizer(config.optimizer, config.learning_rate, config.beta_1,
                                   decay=config.learning_rate_decay)

    @property
    def networks(self):
        names = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")
        return {name: (getattr(self, name), [tf.zeros([1, *self.config.image_shape, 3])]) for name in names}

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
        """Weighted sum of the terms whose weight is not 0; also the terms, and the translated images to reuse."""
        config, logs, loss = self.config, {}, 0.0
        fake_y, same_y = self._translate_and_keep(self.generator_xy, real_x, real_y, "dropout_xy")
        fake_x, same_x = self._translate_and_keep(self.generator_yx, real_y, real_x, "dropout_yx")
        if config.adversarial_weight:
            logs["adversarial_xy"] = losses.least_squares_generator(self.discriminator_y(fake_y, training=True))
            logs["adversarial_yx"] = losses.least_squares_generator(self.discriminator_x(fake_x, training=True))
            loss += config.adversarial_weight * (logs["adversarial_xy"] + logs["adversarial_yx"])
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
        """generator(inputs), and generator(targets) for the identity loss if it has a weight.

        Both go through as one batch, which is faster and, with instance normalization, the same.
        """
        seed = self.seed_for(purpose)
        if not self.config.identity_weight:
            return generator(inputs, training=True, seed=seed), None
        return tf.split(generator(tf.concat([inputs, targets], axis=0), training=True, seed=seed), 2)

    def discriminators_loss(self, real_x, fake_x, real_y, fake_y):
        """Sum of both discriminators' least squares losses; also how often each tells real from generated."""
        loss, logs = 0.0, {}
        for name, discriminator, real, fake in (("x", self.discriminator_x, real_x, fake_x),
                                                ("y", self.discriminator_y, real_y, fake_y)):
            real_logits, fake_logits = tf.split(discriminator(tf.concat([real, fake], axis=0), training=True), 2)
            loss += losses.least_squares_discriminator(real_logits, fake_logits)
            logs[f"real_accuracy_{name}"] = tf.reduce_mean(tf.cast(real_logits > 0.5, tf.float32))
            logs[f"fake_accuracy_{name}"] = tf.reduce_mean(tf.cast(fake_logits <= 0.5, tf.float32))
        return loss, logs

    def restored(self, num_replicas):
        for pool in (self.pool_x, self.pool_y):
            pool.copy_first_replica(num_replicas)

    def generate(self, inputs, direction="a2b"):
        """Translates images, float32 [batch, height, width, 3] in [-1, 1], of a size the generator takes."""
        return getattr(self, self.directions[direction])(inputs, training=False)

    def sample(self, inputs):
        """What each direction makes of fixed images: {direction: [batch, 4 columns, height, width, 3]} in [-1, 1].

        `inputs`: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].
        """
        def row(images, there, back):
            translated = self.generate(images, there)
            return tf.stack([images, translated, self.generate(translated, back), self.generate(images, back)], axis=1)

        return {"a2b": row(inputs["x"], "a2b", "b2a"), "b2a": row(inputs["y"], "b2a", "a2b")}

    def sample_titles(self):
        return {"a2b": {"column_titles": ("input A", "A to B", "A to B to A", "identity A")},
                "b2a": {"column_titles": ("input B", "B to A", "B to A to B", "identity B")}}
