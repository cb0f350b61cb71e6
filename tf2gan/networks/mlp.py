"""Networks of dense layers, as in the first GANs (Goodfellow et al. 2014)."""
import math

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.dcgan import in_order, dense
from tf2gan.networks.layers import Dense, Dropout


class MLPGenerator(tf.keras.Model):
    """Latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1]."""

    size_multiple = size_minimum = 1

    def __init__(self, image_shape, widths=(128,), slope=0.01, dropout=0.0, name="generator"):
        super().__init__(name=name, dtype="float32")
        self.hidden = [Dense(width, name=f"dense_{i}") for i, width in enumerate(widths)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(slope, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.to_pixels = Dense(math.prod(image_shape), dtype="float32", name="to_pixels")
        self.to_image = tf.keras.layers.Reshape(image_shape, dtype="float32", name="to_image")

    def call(self, latents, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = latents
        for i, layer in enumerate(self.hidden):
            x = self.dropout(self.leaky_relu(layer(x)), training=training, seed=None if seed is None else fold(seed, i))
        return self.to_image(tf.tanh(self.to_pixels(x)))


class MLPDiscriminator(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] to logits [batch, 1].

    `normalization`: "spectral", of all weights; or None.
    """

    def __init__(self, widths=(128,), slope=0.01, dropout=0.0, normalization=None, name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.hidden = [dense(normalization)(width, name=f"dense_{i}") for i, width in enumerate(widths)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(slope, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.to_logit = dense(normalization)(1, dtype="float32", name="to_logit")

    @property
    def in_order(self):
        """The layers with weights, in the order of use."""
        return in_order(self.hidden, (), (), self.to_logit)

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = self.flatten(images)
        for i, layer in enumerate(self.hidden):
            x = self.dropout(self.leaky_relu(layer(x)), training=training, seed=None if seed is None else fold(seed, i))
        return self.to_logit(x)


class VectorDiscriminator(tf.keras.Model):
    """Vectors [batch, n], such as styles or features, to logits, float32 [batch, 1]: three dense layers before them."""

    def __init__(self, width=64, name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.hidden = [Dense(width, name=f"hidden_{i}") for i in range(3)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_logit = Dense(1, dtype="float32", name="to_logit")

    def call(self, vectors, training=False):
        """`training` has no effect."""
        x = vectors
        for layer in self.hidden:
            x = self.leaky_relu(layer(x))
        return self.to_logit(x)
