"""Networks for semi-supervised learning: discriminators that classify, with features for generators to match."""
import functools
import math

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.dcgan import in_order, convolution, norm_layers
from tf2gan.networks.layers import Dense, Dropout, GaussianNoise, WeightNormalized, batch_normalization


class SoftplusGenerator(tf.keras.Model):
    """Latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1], by dense layers.

    The generator of Salimans et al. 2016 for MNIST: two hidden layers of `width` units, each with batch normalization
    and softplus, and an output layer with weight normalization.
    """

    size_multiple = size_minimum = 1

    def __init__(self, image_shape, width=500, dropout=0.0, name="generator"):
        super().__init__(name=name, dtype="float32")
        self.hidden = [Dense(width, name=f"dense_{i}") for i in range(2)]
        self.norms = [batch_normalization(name=f"norm_{i}") for i in range(2)]
        self.dropout = Dropout(dropout, name="dropout")
        self.to_pixels = WeightNormalized(math.prod(image_shape), length=1.0, dtype="float32", name="to_pixels")
        self.to_image = tf.keras.layers.Reshape(image_shape, dtype="float32", name="to_image")

    def call(self, latents, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = latents
        for i, (dense, norm) in enumerate(zip(self.hidden, self.norms)):
            x = tf.math.softplus(norm(dense(x), training=training))
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return self.to_image(tf.tanh(self.to_pixels(x)))


class DenseClassifier(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] to logits [batch, num_logits].

    The discriminator of Salimans et al. 2016 for MNIST: dense layers with weight normalization (unless `weight_norm` is
    False) and ReLU, and noise before each. `noise` is the noise's standard deviation; on the input images, in [0, 1],
    it is 0.6 times that (0.5 and 0.3 in the authors' code). As there, weight lengths are learned for the logits only:
    otherwise the features, and with them the distance that a generator has to close, grow without limit. All lengths
    start at 1; the authors set them from images. `features`: the last hidden layer.
    """

    size_minimum = 1

    def __init__(self, num_logits, widths=(1000, 500, 250, 250, 250), noise=0.5, weight_norm=True,
                 name="discriminator"):
        super().__init__(name=name, dtype="float32")
        dense = functools.partial(WeightNormalized, length=1.0) if weight_norm else Dense
        fixed = {"learned_length": False} if weight_norm else {}
        self.flatten = tf.keras.layers.Flatten(dtype="float32", name="flatten")
        self.input_noise = GaussianNoise(0.6 * noise, dtype="float32", name="input_noise")
        self.noise = GaussianNoise(noise, name="noise")
        self.hidden = [dense(width, name=f"dense_{i}", **fixed) for i, width in enumerate(widths)]
        self.to_logits = dense(num_logits, dtype="float32", name="to_logits")

    @property
    def in_order(self):
        """The layers with weights, in the order of use."""
        return in_order(self.hidden, (), (), self.to_logits)

    def features(self, images, training=False, seed=None):
        """[batch, widths[-1]]; `seed` (int tensor [2]) is needed only for noise in training."""
        x = (self.flatten(images) + 1.0) / 2.0  # black is 0: a nonzero background would drown the differences
        for i, dense in enumerate(self.hidden):
            noise = self.noise if i else self.input_noise
            x = tf.nn.relu(dense(noise(x, training=training, seed=None if seed is None else fold(seed, i))))
        return x

    def call(self, images, training=False, seed=None):
        """`seed` as in `features`."""
        x = self.features(images, training, seed)
        return self.to_logits(self.noise(x, training=training, seed=None if seed is None else fold(seed, "logits")))


class StridedClassifier(tf.keras.Model):
    """Images [batch, height, width, channels] in [-1, 1] to logits [batch, num_logits]: three strided convolutions.

    `filters`: channels of the first convolution; each of the others has twice as many as the one before.
    `normalization`: "batch" or "layer", after the second and third; "weight" or "spectral", of convolutions; or None.
    `dropout`: rate after the last. `features`: inputs of the logits layer,
    [batch, height / 8 * width / 8 * 4 * filters], before dropout.
    """

    size_minimum = 8
    normalized = (1, 2)  # indices of the normalized convolutions

    def __init__(self, num_logits, filters=32, dropout=0.5, normalization="batch", name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.convolutions = [convolution(normalization)(filters * 2 ** i, 3, 2, padding="same", name=f"conv_{i}")
                             for i in range(3)]
        self.norms = norm_layers(normalization, 0.99, self.normalized)
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.01, name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.to_logits = Dense(num_logits, dtype="float32", name="to_logits")

    @property
    def in_order(self):
        """The layers with weights, in the order of use."""
        return in_order(self.convolutions, self.norms, self.normalized, self.to_logits)

    def features(self, images, training=False, seed=None):
        """`seed` is not needed."""
        x, norms = images, dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            x = self.leaky_relu(norms[i](x, training=training) if i in norms else x)
        return self.flatten(x)

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        return self.to_logits(self.dropout(self.features(images, training), training=training, seed=seed))
