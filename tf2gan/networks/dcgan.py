"""Convolutional networks after DCGAN (Radford et al. 2015), with upsampling instead of transposed convolutions."""
import math

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import (
    Conv2D, Dense, Dropout, SpectralNormalized, WeightNormalized, batch_normalization, layer_normalization)
from tf2gan.networks.upsampling import UpsamplingConv2D

MOMENTUM = 0.8  # of the moving statistics of batch normalization


def num_doublings(size, start, least):
    """How often to double feature maps of about `start` pixels for images of `size` pixels: at least `least` times.

    Larger images get more doublings, not larger first feature maps, as long as the size can be halved that often.
    """
    doublings = max(least, int(math.log2(size / start)))
    while doublings > least and size % 2 ** doublings:
        doublings -= 1
    return doublings


def convolution(kind):
    """The class of convolutions to use: with normalized weights if `kind` is "weight" or "spectral"."""
    return {"weight": WeightNormalized, "spectral": SpectralNormalized}.get(kind, Conv2D)


def dense(kind):
    """The class of the dense layer that ends a discriminator: with normalized weights if `kind` is "spectral"."""
    return SpectralNormalized if kind == "spectral" else Dense


def drawn(deviation):
    """Arguments of a layer whose weights are from N(0, deviation^2) at first; none if it is None: Keras's own."""
    return {} if deviation is None else {"kernel_initializer": tf.keras.initializers.RandomNormal(stddev=deviation)}


def norm_layers(kind, momentum, positions):
    """Normalization layers, one for each of `positions`, if `kind` is "batch" or "layer"; else an empty list."""
    if kind in (None, "weight", "spectral"):
        return []
    return [batch_normalization(momentum, f"norm_{i}") if kind == "batch" else layer_normalization(f"norm_{i}")
            for i in positions]


def in_order(layers, norms, positions, *last):
    """[[layer, its normalization if it has one], ...] in the order of use; `positions`: of those with `norms`."""
    norms = dict(zip(positions, norms))
    return [[layer, *([norms[i]] if i in norms else [])] for i, layer in enumerate(layers)] + [list(last)]


class UpsamplingGenerator(tf.keras.Model):
    """Latents [batch, latent_size] to images [batch, *image_shape] in [-1, 1].

    `image_shape`: (height, width, channels); height and width are equal and a multiple of 4. A dense layer makes the
    first feature maps: 7x7 for 28x28 images, 8x8 for 32x32. A convolution with twice `filters` channels follows each
    doubling; the last one has `filters`.
    """

    size_multiple = 4
    size_minimum = 8

    def __init__(self, image_shape, filters=64, dropout=0.0, name="generator"):
        super().__init__(name=name, dtype="float32")
        doublings = num_doublings(image_shape[0], start=7, least=2)
        start = image_shape[0] // 2 ** doublings
        widths = [2 * filters] * (doublings - 1) + [filters]
        self.dense = Dense(2 * filters * start * start, activation="relu", name="dense")
        self.reshape = tf.keras.layers.Reshape([start, start, 2 * filters], name="reshape")
        self.dense_norm = batch_normalization(MOMENTUM, name="dense_norm")
        self.convolutions = [UpsamplingConv2D(width, 3, activation="relu", name=f"conv_{i}")
                             for i, width in enumerate(widths)]
        self.norms = [batch_normalization(MOMENTUM, name=f"norm_{i}") for i in range(len(widths))]
        self.dropout = Dropout(dropout, name="dropout")
        self.to_image = tf.keras.layers.Conv2D(image_shape[-1], 3, padding="same", dtype="float32", name="to_image")

    def call(self, latents, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x = self.dense_norm(self.reshape(self.dense(latents)), training=training)
        for i, (conv, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = norm(conv(x), training=training)
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return tf.tanh(self.to_image(x))


class _Convolved(tf.keras.Model):
    """Convolutions, some of them normalized, and a dense layer that makes a logit."""

    @property
    def in_order(self):
        """The layers with weights, in the order of use."""
        return in_order(self.convolutions, self.norms, self.normalized, self.to_logit)


class StridedDiscriminator(_Convolved):
    """Images [batch, height, width, channels] in [-1, 1] to logits [batch, 1].

    `filters`: channels of the first of four convolutions; each of the others has twice as many as the one before.
    `normalization`: "batch" or "layer", after the second and third; "spectral", of all weights; or None.
    """

    normalized = (1, 2)  # indices of the normalized convolutions

    def __init__(self, filters=32, slope=0.2, dropout=0.25, normalization="batch", name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.convolutions = [
            convolution(normalization)(filters * 2 ** i, 3, stride, padding="same", name=f"conv_{i}")
            for i, stride in enumerate((2, 2, 2, 1))]
        self.leaky_relu = tf.keras.layers.LeakyReLU(slope, dtype="float32", name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.norms = norm_layers(normalization, MOMENTUM, self.normalized)
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.to_logit = dense(normalization)(1, dtype="float32", name="to_logit")

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x, norms = images, dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            if i == 1 and x.shape[1] % 2:  # 7x7, from 28x28 images, becomes 8x8
                x = tf.pad(x, [[0, 0], [0, 1], [0, 1], [0, 0]])
            x = self.dropout(self.leaky_relu(x), training=training, seed=None if seed is None else fold(seed, i))
            if i in norms:
                x = norms[i](x, training=training)
        return self.to_logit(self.flatten(x))


class PaperDiscriminator(_Convolved):
    """Images [batch, height, width, channels] in [-1, 1] to logits [batch, 1], as the paper has it (its section 3).

    Convolutions of 5x5 and stride 2, as many as halve the image to about 4x4: of 128, 256, 512, 1024 filters for 64x64
    images. All but the first are normalized, before the leaky rectifier. Arguments as of `StridedDiscriminator`;
    `deviation`: of the weights at first, where they are not normalized themselves.
    """

    def __init__(self, image_shape, filters=128, slope=0.2, dropout=0.0, normalization="batch", deviation=0.02,
                 name="discriminator"):
        super().__init__(name=name, dtype="float32")
        number = num_doublings(image_shape[0], start=4, least=3)
        deviation = None if normalization in ("weight", "spectral") else deviation
        self.normalized = tuple(range(1, number))
        self.convolutions = [convolution(normalization)(filters * 2 ** i, 5, 2, padding="same", name=f"conv_{i}",
                                                        **drawn(deviation)) for i in range(number)]
        self.norms = norm_layers(normalization, 0.99, self.normalized)
        self.leaky_relu = tf.keras.layers.LeakyReLU(slope, dtype="float32", name="leaky_relu")
        self.dropout = Dropout(dropout, name="dropout")
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.to_logit = dense(normalization)(1, dtype="float32", name="to_logit", **drawn(deviation))

    def call(self, images, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for dropout in training."""
        x, norms = images, dict(zip(self.normalized, self.norms))
        for i, conv in enumerate(self.convolutions):
            x = conv(x)
            x = self.leaky_relu(norms[i](x, training=training) if i in norms else x)
            x = self.dropout(x, training=training, seed=None if seed is None else fold(seed, i))
        return self.to_logit(self.flatten(x))
