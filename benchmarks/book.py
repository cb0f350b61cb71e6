"""Training as in books and in the first Keras GANs: compiled models, `predict`, and `train_on_batch` for each of them.

Networks, batches, losses and optimizers are the same. As in those, there is no average of the generator and no image
history. The discriminators are updated on real and then on generated images; a combined model, in which they are
frozen, trains the generators.
"""
import numpy as np
import tensorflow as tf

from benchmarks.contestants import Contestant, keras_upsampling
from tf2gan.data import pipeline

NUM_BATCHES = 64  # of real images in memory


class Seeded(tf.keras.Model):
    """A network that draws its own dropout seed, as Keras's own layers do."""

    def __init__(self, network):
        super().__init__(dtype="float32")  # or a bfloat16 policy would round the images, too
        self.network = network

    def call(self, inputs, training=False):
        seed = tf.random.uniform([2], maxval=2 ** 31 - 1, dtype=tf.int32) if training else None
        return self.network(inputs, training=training, seed=seed)


class Unseeded(Seeded):
    def call(self, inputs, training=False):
        return self.network(inputs, training=training)


class Judged(tf.keras.Model):
    """From latents to the discriminator's logits for the generated images."""

    def __init__(self, generator, discriminator):
        super().__init__(dtype="float32")
        self.generator, self.discriminator = generator, discriminator

    def call(self, latents, training=False):
        return self.discriminator(self.generator(latents, training=training), training=training)


class Translated(tf.keras.Model):
    """From two images to six outputs: logits of both discriminators, both cycles, both identities."""

    def __init__(self, generator_xy, generator_yx, discriminator_x, discriminator_y):
        super().__init__(dtype="float32")
        self.generator_xy, self.generator_yx = generator_xy, generator_yx
        self.discriminator_x, self.discriminator_y = discriminator_x, discriminator_y

    def call(self, inputs, training=False):
        real_x, real_y = inputs
        fake_y = self.generator_xy(real_x, training=training)
        fake_x = self.generator_yx(real_y, training=training)
        return [self.discriminator_x(fake_x, training=training), self.discriminator_y(fake_y, training=training),
                self.generator_yx(fake_y, training=training), self.generator_xy(fake_x, training=training),
                self.generator_yx(real_x, training=training), self.generator_xy(real_y, training=training)]


class _Book(Contestant):
    """Takes images from arrays in memory, at no cost."""

    def __init__(self, job):
        super().__init__(job)
        batches = pipeline.batches(self.splits, self.config).take(NUM_BATCHES).as_numpy_iterator()
        some = list(batches)
        self._data = {name: np.concatenate([batch[name] for batch in some]) for name in some[0]}
        self._rng = np.random.default_rng(self.config.seed)

    def build(self):
        tf.keras.utils.set_random_seed(self.config.seed)
        with keras_upsampling():
            self.gan = self.gan_class(self.config, self.total_images())  # for its networks
        self._compile()

    def _adam(self, learning_rate):
        return tf.keras.optimizers.Adam(learning_rate, beta_1=self.config.beta_1)

    def _some(self, name):
        return self._data[name][self._rng.integers(0, len(self._data[name]), self.config.real_batch_size)]

    def _train_discriminator(self, discriminator, real, fake):
        # Keras fixes what is frozen when it builds its train function, at the first call.
        for images, label in ((real, 1.0), (fake, 0.0)):
            discriminator.train_on_batch(images, np.full([len(images), *self._logits_shape], label, np.float32))


class NoiseBook(_Book):
    """A generator of images from latents."""

    _logits_shape = (1,)

    def _compile(self):
        config, loss = self.config, tf.keras.losses.BinaryCrossentropy(from_logits=True)
        self._generator, self._discriminator = Seeded(self.gan.generator), Seeded(self.gan.discriminator)
        self._discriminator.compile(self._adam(config.discriminator_learning_rate), loss, metrics=["accuracy"])
        self._train_discriminator(self._discriminator, self._some("images"), self._some("images"))
        self._discriminator.trainable = False
        self._combined = Judged(self._generator, self._discriminator)
        self._combined.compile(self._adam(config.generator_learning_rate), loss)

    def _latents(self, num):
        return self._rng.normal(size=[num, self.config.latent_size]).astype(np.float32)

    def step(self):
        real = self._some("images")
        fake = self._generator.predict(self._latents(len(real)), verbose=0)
        self._train_discriminator(self._discriminator, real, fake)
        num = self.config.batch_size
        self._combined.train_on_batch(self._latents(num), np.ones([num, 1], np.float32))


class TranslationBook(_Book):
    """Two generators, two discriminators, and a combined model of six outputs."""

    def _compile(self):
        config, gan = self.config, self.gan
        self._generators = Seeded(gan.generator_xy), Seeded(gan.generator_yx)
        self._discriminators = Unseeded(gan.discriminator_x), Unseeded(gan.discriminator_y)
        self._logits_shape = gan.discriminator_x(self._some("x")).shape[1:]
        for discriminator, name in zip(self._discriminators, "xy"):
            discriminator.compile(self._adam(config.learning_rate), "mse", metrics=["accuracy"])
            self._train_discriminator(discriminator, self._some(name), self._some(name))
            discriminator.trainable = False
        self._combined = Translated(*self._generators, *self._discriminators)
        weights = [config.adversarial_weight] * 2 + [config.cycle_weight] * 2 + [config.identity_weight] * 2
        self._combined.compile(self._adam(config.learning_rate), ["mse"] * 2 + ["mae"] * 4, loss_weights=weights)

    def step(self):
        real_x, real_y = self._some("x"), self._some("y")
        fake_y = self._generators[0].predict(real_x, verbose=0)
        fake_x = self._generators[1].predict(real_y, verbose=0)
        self._train_discriminator(self._discriminators[0], real_x, fake_x)
        self._train_discriminator(self._discriminators[1], real_y, fake_y)
        valid = np.ones([len(real_x), *self._logits_shape], np.float32)
        self._combined.train_on_batch([real_x, real_y], [valid, valid, real_x, real_y, real_x, real_y])


def make(job):
    """The contestant for the job's model, which is one of `comparing.IN_BOOK`."""
    return (TranslationBook if job["model"] == "cyclegan" else NoiseBook)(job)
