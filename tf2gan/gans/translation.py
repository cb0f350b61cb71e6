"""What all methods that translate images share: their data, an optimizer for each player, and how they are used.

Domain x is A in files and flags, domain y is B. A method's file has the roles of its networks, its losses and the order
of its updates.
"""
import functools
from typing import Optional

import tensorflow as tf

from tf2gan.gans import base, diagnosis, projected
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.image_pool import ImagePool
from tf2gan.networks import own as own_networks
from tf2gan.networks.resnet import ResNet
from tf2gan.networks.resunet import ResUNet

DOMAINS = {"a2b": ("x", "y"), "b2a": ("y", "x")}  # {direction: (domain of the inputs, domain of the targets)}


class TranslatingGAN(base.GAN):
    """A GAN that translates images in one direction or both.

    A method creates its networks in __init__, calls `make_optimizers` at its end, and implements `networks`,
    `new_generator`, `translating_network`, `train_step` and `sample`.
    """

    splits = ("trainA", "trainB", "testA", "testB")
    takes_networks = ("generator",)

    def __init__(self, config, total_images: Optional[int] = None, own=None):
        config.check()
        super().__init__(config, total_images, own)
        self.pools = []

    # Methods implement these.

    def new_generator(self, name):
        """A network from images to images of their size."""
        raise NotImplementedError

    def translating_network(self, direction):
        """The network that translates in this direction, with the averaged weights if there are any."""
        raise NotImplementedError

    # Methods call these in __init__.

    def make_generator(self, name):
        """The generator that the user brings, or the method's own, built."""
        image = self.example()
        if "generator" in self.own:
            return own_networks.check(self.own["generator"](name, self.config.size_rule), [image],
                                      image.shape.as_list(), "generator")
        network = self.new_generator(name)
        network(image)
        return network

    def make_average(self, name, generator):
        """The average of a generator's weights over training, for use; the generator itself without averages."""
        return self.average_of(generator, functools.partial(self.make_generator, name), self.config.ema_decay)

    def make_pool(self, name):
        """A history of generated images for a discriminator."""
        self.pools.append(ImagePool(self.config.pool_size, [*self.config.image_shape, 3], name=name))
        return self.pools[-1]

    def make_optimizers(self, generator_variables, discriminator_variables, more=()):
        """`generator_optimizer` and `discriminator_optimizer`, each of all networks of its kind.

        `more`: pairs (further optimizer, its variables).
        """
        config = self.config
        self.generator_variables, self.discriminator_variables = generator_variables, discriminator_variables
        self.generator_optimizer, self.discriminator_optimizer = (
            self.make_optimizer(config.optimizer, config.learning_rate, config.beta_1, decay=config.learning_rate_decay)
            for _ in range(2))
        self.build_all([(self.generator_optimizer, generator_variables),
                        (self.discriminator_optimizer, discriminator_variables), *more])

    def example(self):
        """One image [1, height, width, 3] of zeros, to build networks with."""
        return tf.zeros([1, *self.config.image_shape, 3])

    def shown(self, images, purpose):
        """Images as all discriminators see them: changed at random, if `augment` is on.

        Real and generated images have different purposes, the two halves of a pair the same.
        """
        return images if self.config.augment is None else self.augmentation(images, f"augment_{purpose}")

    # For the training loop.

    def batch_spec(self, batch_size):
        images = tf.TensorSpec([batch_size, *self.config.image_shape, 3], tf.float32)
        return {"x": images, "y": images}

    def restored(self, num_replicas):
        for pool in self.pools:
            pool.copy_first_replica(num_replicas)

    # Use.

    def generate(self, inputs, direction=None):
        """Translates images, float32 [batch, height, width, 3] in [-1, 1], of a size that the generator takes.

        `direction`: None: the first of the GAN's own.
        """
        return self.translating_network(direction or self.abilities.directions[0])(inputs, training=False)


class OneWayGAN(TranslatingGAN):
    """A GAN with one generator, which translates in the direction that its config names."""

    abilities = Abilities(directions=tuple(DOMAINS))

    @classmethod
    def abilities_for(cls, config):
        return Abilities(directions=(config.direction,))

    def ends(self, batch):
        """(inputs, targets) of a batch {"x", "y"}, in the direction of the training."""
        source, target = DOMAINS[self.config.direction]
        return batch[source], batch[target]

    # The second judge, on a frozen network, if `projected_weight` is not 0.

    def make_projected(self):
        """Creates it, and returns its networks as `networks` has them: {name: (network, its inputs)}."""
        if not self.config.projected_weight:
            return {}
        self.projected = projected.Projected(("projected",), self.config.image_shape, self.config.discriminator_filters)
        return self.projected.networks

    def fooled(self, fake, logs):
        """The weighted loss of a generator whose images `fake` it judges; adds the plain one to `logs`."""
        logits = self.projected.logits({"projected": [fake]}, self.draw, "shift_generated")
        logs["projected"] = projected.generator_loss(logits["projected"])
        return self.config.projected_weight * logs["projected"]

    def judged(self, targets, fake, logs):
        """Its own loss on targets and generated images, which it adds to `logs`."""
        logits = self.projected.logits({"projected": [targets, fake]}, self.draw, "shift")
        logs["projected_loss"] = projected.discriminator_loss(logits["projected"])
        return logs["projected_loss"]

    def diagnose(self, history):
        return diagnosis.of_one_way(history, self.config)

    def checked(self):
        return [diagnosis.CHECKS[name] for name in diagnosis.OF_ONE_WAY]

    def translating_network(self, direction):
        if direction != self.config.direction:
            raise ValueError(f"direction {direction!r}: this one translates {self.config.direction}")
        return self.average


def residual_generator(config, name):
    """The generator of residual blocks that `config.generator` names: "resnet" or "resunet"."""
    if config.generator == "resnet":
        num_blocks = config.num_blocks or (9 if min(config.image_shape) >= 256 else 6)
        return ResNet(filters=config.generator_filters or 64, num_blocks=num_blocks, name=name)
    return ResUNet(filters=config.generator_filters or 32, num_blocks=config.num_blocks or 4, name=name)
