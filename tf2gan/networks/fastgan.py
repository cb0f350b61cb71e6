"""The generator of FastGAN, light or full, for few images and little computing (Liu et al. 2021, arXiv 2101.04775)."""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import SpectralNormalized, batch_normalization
from tf2gan.networks.upsampling import SpectralUpsampling

SIZES = tuple(2 ** n for n in range(5, 10))  # of images that it makes: 32 to 512
# {size of a map: its channels, in times `filters`}
_WIDTHS = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25}
_FROM = {64: 4, 128: 8, 256: 16}  # {size of a map: that of the map which says what of it counts}
_MOMENTUM = 0.9  # of the moving statistics of batch normalization


class FastGenerator(tf.keras.Model):
    """Latents [batch, latent_size], divided by their root mean square, to images [batch, *image_shape] in [-1, 1].

    `image_shape`: (size, size, channels), size one of SIZES. A map of 4x4 is doubled by nearest neighbours until it has
    the size of the image; a 3x3 convolution, batch normalization and a gated linear unit follow each doubling. Small
    maps say which channels of large ones count (skip-layer excitation, sec. 3.1): 4x4 of 64x64, 8x8 of 128x128, 16x16
    of 256x256. `full`: from 8x8 on, every second doubling has two convolutions, with noise between.
    """

    def __init__(self, image_shape, filters=64, full=False, name="generator"):
        super().__init__(name=name, dtype="float32")
        sizes = [size for size in _WIDTHS if size <= image_shape[0]]
        widths = {size: max(1, int(filters * _WIDTHS[size])) for size in sizes}
        self.dense = SpectralNormalized(16 * 2 * widths[4], name="dense")
        self.reshape = tf.keras.layers.Reshape([4, 4, 2 * widths[4]], name="reshape")
        self.dense_norm = batch_normalization(_MOMENTUM, name="dense_norm")
        self.doublings = [Doubling(widths[size], full and i % 2 == 0, name=f"doubling_{size}")
                          for i, size in enumerate(sizes[1:])]
        self.excitations = {str(size): Excitation(widths[size], name=f"excitation_{size}")
                            for size in sizes if size in _FROM}
        self.to_image = SpectralNormalized(image_shape[-1], 3, padding="same", dtype="float32", name="to_image")

    def call(self, latents, training=False, seed=None):
        """`seed` (int tensor [2]) is needed only for the noise of `full` in training."""
        latents = tf.cast(latents, tf.float32)
        latents *= tf.math.rsqrt(tf.reduce_mean(latents ** 2, axis=-1, keepdims=True) + 1e-8)
        x = self.reshape(self.dense(latents, training=training))
        x = gated(self.dense_norm(x, training=training))
        maps = {4: x}
        for i, doubling in enumerate(self.doublings):
            x = doubling(x, training=training, seed=None if seed is None else fold(seed, i))
            size = x.shape[1]
            if size in _FROM:
                x *= tf.cast(self.excitations[str(size)](maps[_FROM[size]], training=training), x.dtype)
            maps[size] = x
        return tf.tanh(self.to_image(x, training=training))


class Doubling(tf.keras.layers.Layer):
    """[batch, size, size, channels] -> [batch, 2 size, 2 size, width]; `full`: two convolutions, noise after each."""

    def __init__(self, width, full, name):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.full = full
        self.convolutions = [SpectralUpsampling(2 * width, name="conv_0"),
                             *([SpectralNormalized(2 * width, 3, padding="same", name="conv_1")] if full else [])]
        self.norms = [batch_normalization(_MOMENTUM, name=f"norm_{i}") for i in range(1 + full)]

    def build(self, input_shape):
        if self.full:
            self.strengths = [self.add_weight(name=f"noise_{i}", shape=[], initializer="zeros") for i in range(2)]
        super().build(input_shape)

    def call(self, x, training=False, seed=None):
        """In use there is no noise: an image is a function of its latent."""
        for i, (conv, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = conv(x, training=training)
            if self.full and training:
                noise = tf.random.stateless_normal([*tf.unstack(tf.shape(x)[:3]), 1], fold(seed, i))
                x += tf.cast(self.strengths[i] * noise, x.dtype)
            x = gated(norm(x, training=training))
        return x


class Excitation(tf.keras.layers.Layer):
    """How much each channel of a large map counts, [batch, 1, 1, width] in (0, 1), from a small map."""

    def __init__(self, width, name):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.hidden = SpectralNormalized(width, 4, name="hidden")
        self.to_gate = SpectralNormalized(width, 1, name="to_gate")

    def call(self, x, training=False):
        size = x.shape[1] // 4
        pooled = tf.nn.avg_pool2d(x, size, size, "VALID") if size > 1 else x
        hidden = tf.nn.silu(self.hidden(pooled, training=training))
        return tf.sigmoid(tf.cast(self.to_gate(hidden, training=training), tf.float32))


def gated(x):
    """The gated linear unit: the first half of the channels times the sigmoid of the second (Dauphin et al. 2017)."""
    values, gates = tf.split(x, 2, axis=-1)
    return values * tf.sigmoid(gates)
