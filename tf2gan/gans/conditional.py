"""CGAN: images of a class that is asked for (Mirza and Osindero 2014, arXiv 1411.1784).

Both players are told the label y; D judges whether image and label belong together:

    D:  min  -mean(log D(x, y)) - mean(log(1 - D(G(z, y), y)))
    G:  min  -mean(log D(G(z, y), y))
"""
import dataclasses
from typing import Literal, Optional

import tensorflow as tf

from tf2gan.errors import UserError
from tf2gan.gans import noise_options
from tf2gan.gans.noise_to_image import NoiseToImage, mean_logs
from tf2gan.networks.conditional import ConditionalDiscriminator, ConditionalGenerator


@dataclasses.dataclass(frozen=True)
class Config(noise_options.Config):
    """Options of the conditional GAN."""

    batch_size: int = 32  # images that the generator makes in its update, over all replicas together
    steps: Optional[int] = 12_000  # length of the whole training; give one of steps, images, epochs
    num_classes: Optional[int] = None  # none: as the data have
    generator_filters: int = 64  # channels before the image
    discriminator_filters: int = 64  # channels of the discriminator's first convolution
    discriminator_normalization: Optional[Literal["batch", "layer"]] = "batch"  # batch is unsound with a penalty
    discriminator_loss_weight: float = 0.5  # 1: the losses on real and on generated images are added, 0.5: their mean
    generator_learning_rate: float = 1e-3  # learning rate of the generator
    discriminator_learning_rate: float = 1e-3  # learning rate of the discriminator

    @property
    def size_rule(self):
        return ConditionalGenerator.size_multiple, ConditionalGenerator.size_minimum

    def fitted(self, image_shape, class_names):
        if class_names is None:
            raise UserError(f"dataset {self.dataset!r} has no labels, which a conditional GAN needs; possible: a "
                            "folder with a sub folder for each class, or a set such as mnist or synthetic_digits")
        if self.num_classes not in (None, len(class_names)):
            raise UserError(f"--num-classes {self.num_classes}: {self.dataset} has {len(class_names)} classes")
        fitted = super().fitted(image_shape, class_names)
        return dataclasses.replace(fitted, num_classes=len(class_names))

    def check(self):
        super().check()
        for name in ("generator_filters", "discriminator_filters"):
            self.check_range(name, 1)


class CGAN(NoiseToImage):
    """Convolutions on both sides, each with an embedding of the label."""

    Config = Config
    presets = {"cgan": Config()}
    preset_options = {"cgan": {"sample_every": 500, "num_samples": 10}}

    @property
    def num_classes(self):
        return self.config.num_classes

    def make_generator(self, name):
        config = self.config
        return ConditionalGenerator(self.image_shape, config.latent_size, config.num_classes,
                                    config.generator_filters, config.generator_dropout, name)

    def make_discriminator(self):
        config = self.config
        return ConditionalDiscriminator(self.image_shape, config.num_classes, config.discriminator_filters,
                                        config.discriminator_dropout, config.discriminator_normalization)

    def _some_condition(self):
        return (tf.zeros([1], tf.int64),)

    def batch_spec(self, batch_size):
        images = super().batch_spec(batch_size)["images"]
        return {"images": images, "labels": tf.TensorSpec(images.shape[:1], tf.int64)}

    def train_step(self, *batches, pretraining=False):
        """The discriminator's fakes carry the labels of the real images, the generator's are of random classes."""
        logs = mean_logs([self.update_discriminator(batch["images"], batch["labels"], number=i)
                          for i, batch in enumerate(batches)])
        return logs if pretraining else {**logs, **self.update_generator(self.random_labels())}

    def random_labels(self):
        """Labels of a generator's batch, int64, each class as likely as the others."""
        num = self.config.batch_size // self.num_replicas
        return tf.cast(self.config.num_classes * self.draw("uniform", [num], "labels"), tf.int64)

    def sample(self, latents):
        """A row a class; the latents of a column are the same."""
        num, num_classes = latents.shape[0], self.config.num_classes
        images = self.generate(tf.tile(latents, [num_classes, 1]), tf.repeat(tf.range(num_classes), num))
        return {"samples": tf.reshape(images, [num_classes, num, *self.image_shape])}

    def sample_titles(self):
        names = self.class_names or [str(label) for label in range(self.config.num_classes)]
        return {"samples": {"row_titles": names}}
