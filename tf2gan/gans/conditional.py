"""CGAN: images of a given class (Mirza and Osindero 2014, arXiv 1411.1784).

Both networks get the label y; D judges whether image and label belong together:

    D:  min  -mean(log D(x, y)) - mean(log(1 - D(G(z, y), y)))
    G:  min  -mean(log D(G(z, y), y))
"""
import tensorflow as tf

from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.conditional import PRESET_OPTIONS, PRESETS, Config
from tf2gan.gans.latent_gan import LatentGAN, mean_logs
from tf2gan.networks.conditional import ConditionalDiscriminator, ConditionalGenerator


class CGAN(LatentGAN):
    """Convolutions on both sides, each with an embedding of the label."""

    Config = Config
    abilities = Abilities(samples=True, takes_labels=True)
    presets, preset_options = PRESETS, PRESET_OPTIONS

    @property
    def num_classes(self):
        return self.config.num_classes

    def make_generator(self, name):
        config = self.config
        return ConditionalGenerator(self.image_shape, config.latent_size, config.num_classes,
                                    config.generator_filters, config.generator_dropout, name,
                                    config.generator_condition)

    def make_discriminator(self):
        config = self.config
        return ConditionalDiscriminator(self.image_shape, config.num_classes, config.discriminator_filters,
                                        config.discriminator_dropout, config.discriminator_normalization,
                                        condition=config.discriminator_condition)

    def example_condition(self):
        return (tf.zeros([1], tf.int64),)

    def batch_spec(self, batch_size):
        images = super().batch_spec(batch_size)["images"]
        return {"images": images, "labels": tf.TensorSpec(images.shape[:1], tf.int64)}

    def train_step(self, *batches, pretraining=False, penalized=True):
        """The discriminator's generated images get the labels of the real ones; the generator's get random labels."""
        logs = mean_logs([self.update_discriminator(batch["images"], batch["labels"], number=i, penalized=penalized)
                          for i, batch in enumerate(batches)])
        if pretraining:
            return logs
        real = [batches[-1]["images"], batches[-1]["labels"]]
        return {**logs, **self.update_generator(self.random_labels(), real=real)}

    def random_labels(self):
        """Random labels for a batch of the generator, int64; all classes are equally likely."""
        num = self.config.batch_size // self.num_replicas
        return tf.cast(self.config.num_classes * self.draw("uniform", [num], "labels"), tf.int64)

    def sample(self, latents):
        """One row per class; the images of a column have the same latents."""
        num, num_classes = latents.shape[0], self.config.num_classes
        images = self.generate(tf.tile(latents, [num_classes, 1]), tf.repeat(tf.range(num_classes), num))
        return {"samples": tf.reshape(images, [num_classes, num, *self.image_shape])}

    def sample_titles(self):
        names = self.class_names or [str(label) for label in range(self.config.num_classes)]
        return {"samples": {"row_titles": names}}
