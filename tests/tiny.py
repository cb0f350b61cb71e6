"""A GAN of one variable, for tests of what every training does; a step of it costs nothing."""
import contextlib
import dataclasses

import numpy as np
import tensorflow as tf

from tf2gan.data import memory
from tf2gan.gans import GANS, base
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs import base as base_config

SIZE, BATCH, NUM = 4, 2, 7
IMAGES = np.random.default_rng(0).integers(0, 256, [NUM, SIZE, SIZE, 1], np.uint8)


@dataclasses.dataclass(frozen=True)
class Config(base_config.Config):
    """Options of the GAN of one variable."""

    image_size: str = str(SIZE)
    channels: int = 1  # of images
    batch_size: int = BATCH  # images
    latent_size: int = 1  # numbers
    latent_distribution: str = "normal"  # N(0, 1)
    learning_rate: float = 0.1  # of Adam
    ema_decay: float = 0.9  # per step


class Network(tf.keras.Model):
    """Latents [batch, 1] to images [batch, 4, 4, 1]: the variable times 1 plus a tenth of the latent."""

    def __init__(self, name):
        super().__init__(name=name, dtype="float32")
        self.dense = tf.keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="dense")

    def call(self, latents, training=False, seed=None):
        return (1.0 + 0.1 * latents)[:, None, None] * self.dense(tf.ones([1, 1])) * tf.ones([1, SIZE, SIZE, 1])


class Tiny(base.GAN):
    """Its variable follows the mean of the images, with dice of each step."""

    Config = Config
    abilities = Abilities(samples=True)
    presets = {"tiny": Config(steps=12)}
    preset_options = {"tiny": {"log_every": 2, "sample_every": 5, "checkpoint_every": 3}}
    splits = ("train",)

    def __init__(self, config, total_images=None):
        super().__init__(config, total_images)
        self.generator = self._built("generator")
        self.average = self.average_of(self.generator, lambda: self._built("average"), config.ema_decay)
        self.optimizer = self.make_optimizer("adam", config.learning_rate)
        self.build_all([(self.optimizer, self.generator.trainable_variables)])

    @staticmethod
    def _built(name):
        network = Network(name)
        network(tf.zeros([1, 1]))
        return network

    @property
    def networks(self):
        return {"generator": (self.generator, [tf.zeros([1, 1])])}

    def batch_spec(self, batch_size):
        return {"images": tf.TensorSpec([batch_size, SIZE, SIZE, 1], tf.float32)}

    def train_step(self, batch):
        latents = self.draw("normal", [self.config.batch_size // self.num_replicas, 1], "latents")

        def loss_fn():
            made = self.generator(latents, training=True)
            # Of each image, so that the mean over two replicas is that over all.
            return tf.reduce_mean(tf.square(made - batch["images"])), None

        loss, _ = self.minimize(loss_fn, self.optimizer, self.generator.trainable_variables)
        return {"loss": loss, "dice": tf.reduce_mean(latents)}

    def latents(self, num, seed, truncation=np.inf):
        return tf.random.stateless_normal([num, 1], tf.stack([tf.cast(seed, tf.int64), tf.zeros([], tf.int64)]))

    def generate(self, latents):
        return self.average(latents)

    def sample_inputs(self, num):
        return self.latents(num, 0)

    def sample(self, latents):
        return {"samples": self.generate(latents)[None]}


@contextlib.contextmanager
def registered():
    """The method `tiny`, and the name of its data set, within the block."""
    GANS.register("tiny", Tiny)
    try:
        yield memory.keep(IMAGES)
    finally:
        GANS.unregister("tiny")
