"""The networks of FastGAN, for few images and little computing (Liu et al. 2021, arXiv 2101.04775)."""
import tensorflow as tf

from tf2gan.core import seeds
from tf2gan.networks import resizing
from tf2gan.networks.layers import SpectralNormalized, batch_normalization
from tf2gan.networks.upsampling import SpectralUpsampling

# {size of a map: its channels, in times `filters`}
_WIDTHS = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25}
_WIDTHS_OF_DISCRIMINATOR = {8: 16, 16: 8, 32: 4, 64: 2, 128: 1, 256: 0.5}
_SLOPE = 0.2  # of leaky ReLUs
_FROM = {64: 4, 128: 8, 256: 16, 512: 32}  # {size of a map: that of the map which says what of it counts}
_MOMENTUM = 0.9  # of the moving statistics of batch normalization


class FastGenerator(tf.keras.Model):
    """Latents [batch, latent_size], divided by their root mean square, to images [batch, *image_shape] in [-1, 1].

    `image_shape`: (size, size, channels), size 32, 64, 128, 256 or 512. A map of 4x4 is doubled by nearest neighbours
    until it has the size of the image; a 3x3 convolution, batch normalization and a gated linear unit follow each
    doubling. Small maps say which channels of large ones count (skip-layer excitation, sec. 3.1): 4x4 of 64x64, 8x8 of
    128x128, and so on. `full`: from 8x8 on, every second doubling has two convolutions, with noise between.
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
            x = doubling(x, training=training, seed=None if seed is None else seeds.fold(seed, i))
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
                noise = seeds.normal([*tf.unstack(tf.shape(x)[:3]), 1], seeds.fold(seed, i))
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
        hidden = self.hidden(pooled, training=training)
        hidden = hidden * tf.sigmoid(hidden)  # not tf.nn.silu, whose gradient a SavedModel does not keep
        return tf.sigmoid(tf.cast(self.to_gate(hidden, training=training), tf.float32))


def gated(x):
    """The gated linear unit: the first half of the channels times the sigmoid of the second (Dauphin et al. 2017)."""
    values, gates = tf.split(x, 2, axis=-1)
    return values * tf.sigmoid(gates)


class FastDiscriminator(tf.keras.Model):
    """Images [batch, size, size, channels] in [-1, 1] -> logits [batch, num], each of a part of the image.

    Two encoders, one for the image and one for its half, each down to 8x8 and then 5x5 logits. So that it learns
    features of all there is to see, not the few that tell these real images from others, decoders have to restore real
    images from features: `restored` (sec. 3.2). `filters`: channels of maps of 128x128.
    """

    def __init__(self, image_shape, filters=64, name="discriminator"):
        super().__init__(name=name, dtype="float32")
        size, channels = image_shape[0], image_shape[-1]
        self.restored_size = min(size, 128)
        self.encoder, self.small_encoder = Encoder(size, filters, "encoder"), Encoder(size // 2, filters, "small")
        self.decoders = [Decoder(self.restored_size, filters, channels, f"decoder_{name}")
                         for name in ("whole", "part", "small")]

    def call(self, images, training=False, seed=None):
        """`seed` is not needed."""
        return tf.concat([encoder(x, training=training)[0] for encoder, x in self._encoded(images)], axis=1)

    def _encoded(self, images):
        return (self.encoder, images), (self.small_encoder, tf.nn.avg_pool2d(images, 2, 2, "VALID"))

    def restored(self, images, part, training=False):
        """[(what a decoder makes, what it should be)], float32 [batch, r, r, channels], r = min(size, 128).

        The image from its features at 8x8; a quarter of it from that quarter of its features at 16x16; the image from
        the small encoder's. `part`: which quarter, int32 [batch] from 0 to 3, row by row.
        """
        (_, at_8, at_16), (_, small_at_8, _) = (encoder(x, training=training) for encoder, x in self._encoded(images))
        whole = _resized(images, self.restored_size)
        pairs = ((at_8, whole), (_quarter(at_16, part), _resized(_quarter(images, part), self.restored_size)),
                 (small_at_8, whole))
        return [(decoder(x, training=training), target) for decoder, (x, target) in zip(self.decoders, pairs)]


class Encoder(tf.keras.layers.Layer):
    """Images -> (logits [batch, 25], features of 8x8, features of 16x16)."""

    def __init__(self, size, filters, name):
        super().__init__(name=name, dtype="float32", autocast=False)
        widths = {n: max(1, int(filters * width)) for n, width in _WIDTHS_OF_DISCRIMINATOR.items() if n < size}
        sizes = sorted(widths, reverse=True)
        self.from_image = SpectralNormalized(widths[sizes[0]], 4, 2, padding="same", name="from_image")
        self.halvings = [Halving(widths[n], name=f"halving_{n}") for n in sizes[1:]]
        self.mixed = SpectralNormalized(widths[8], 1, name="mixed")
        self.norm = batch_normalization(_MOMENTUM, name="norm")
        self.to_logits = SpectralNormalized(1, 4, dtype="float32", name="to_logits")

    def call(self, images, training=False):
        x = tf.nn.leaky_relu(self.from_image(images, training=training), _SLOPE)
        found = [x]
        for halving in self.halvings:
            x = halving(x, training=training)
            found.append(x)
        mixed = tf.nn.leaky_relu(self.norm(self.mixed(x, training=training), training=training), _SLOPE)
        logits = self.to_logits(mixed, training=training)
        return tf.reshape(logits, [tf.shape(x)[0], logits.shape[1] * logits.shape[2]]), x, found[-2:][0]


class Halving(tf.keras.layers.Layer):
    """The mean of two ways to half the size: two convolutions, and a mean of pixels with a 1x1 convolution."""

    def __init__(self, width, name):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.convolutions = [SpectralNormalized(width, *shape, padding="same", name=f"conv_{i}")
                             for i, shape in enumerate(((4, 2), (3, 1), (1, 1)))]
        self.norms = [batch_normalization(_MOMENTUM, name=f"norm_{i}") for i in range(3)]

    def call(self, x, training=False):
        def applied(i, inputs):
            outputs = self.norms[i](self.convolutions[i](inputs, training=training), training=training)
            return tf.nn.leaky_relu(outputs, _SLOPE)

        return (applied(1, applied(0, x)) + applied(2, tf.nn.avg_pool2d(x, 2, 2, "VALID"))) / 2.0


class Decoder(tf.keras.layers.Layer):
    """Features of 8x8 -> images [batch, size, size, channels] in [-1, 1]."""

    def __init__(self, size, filters, channels, name):
        super().__init__(name=name, dtype="float32", autocast=False)
        widths = [max(1, int(filters * _WIDTHS[n])) for n in _WIDTHS if 8 < n <= size]
        self.doublings = [Doubling(width, False, name=f"doubling_{i}") for i, width in enumerate(widths)]
        self.to_image = SpectralNormalized(channels, 3, padding="same", dtype="float32", name="to_image")

    def call(self, x, training=False):
        for doubling in self.doublings:
            x = doubling(x, training=training)
        return tf.tanh(self.to_image(x, training=training))


def _quarter(x, part):
    """One quarter of each of x [batch, n, n, channels]: [batch, n / 2, n / 2, channels]; `part`: int32 [batch]."""
    half = x.shape[1] // 2
    rows = (part // 2 * half)[:, tf.newaxis] + tf.range(half)
    columns = (part % 2 * half)[:, tf.newaxis] + tf.range(half)
    return tf.gather(tf.gather(x, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def _resized(images, size):
    return images if images.shape[1] == size else resizing.shrunk(images, size)
