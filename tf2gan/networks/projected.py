"""A discriminator that looks through a frozen network (Sauer et al. 2021, arXiv 2111.01007)."""
import math

import tensorflow as tf

from tf2gan.networks.efficientnet import MAP_CHANNELS, EfficientNetLite0
from tf2gan.networks.layers import MinibatchStdDev, SpectralNormalized, batch_normalization


class ProjectedDiscriminator(tf.keras.Model):
    """Fixed random mixtures of the maps of an EfficientNet-Lite0, and a small trained network on each.

    Maps as `efficientnet.EfficientNetLite0.maps` returns them -> a list of as many float32 maps of logits
    [batch, height', width', 1]. `filters`: channels of the hidden convolution on the two larger maps; the smaller ones
    have twice as many. `widths`: channels of the mixtures; the paper has 64, 128, 256, 512.

    Mixing within a map and from smaller to larger maps (sec. 3.2) is random and never trained, so that the
    discriminator cannot choose to look at a few features only. The weights are in the network's variables, as part of
    every checkpoint.
    """

    def __init__(self, filters=64, widths=(32, 64, 128, 256), name="projected"):
        super().__init__(name=name, dtype="float32")
        self.mixtures = [_frozen(width, f"mixture_{i}") for i, width in enumerate(widths)]
        self.from_smaller = [_frozen(width, f"from_smaller_{i}") for i, width in enumerate(widths[:-1])]
        # The two larger maps are halved: the logits of all four have a similar number of pixels.
        shapes = ((filters, 4, 2), (filters, 4, 2), (2 * filters, 3, 1), (2 * filters, 3, 1))
        self.hidden = [SpectralNormalized(*shape, padding="same", name=f"hidden_{i}") for i, shape in enumerate(shapes)]
        self.to_logits = [SpectralNormalized(1, 3, padding="same", dtype="float32", name=f"to_logits_{i}")
                          for i in range(len(shapes))]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")

    def call(self, maps, training=False):
        """`training`: whether the spectral norms are followed by one more power iteration."""
        mixed = _mixed(maps, self.mixtures, self.from_smaller)
        return [last(self.leaky_relu(hidden(x, training=training)), training=training)
                for x, hidden, last in zip(mixed, self.hidden, self.to_logits)]


class ImageJudge(tf.keras.Model):
    """Images to logits, through the frozen network and four discriminators: that of Projected GANs (sec. 3).

    Images [batch, size, size, 1 or 3] in [-1, 1] -> logits float32 [batch, num], all places of the four together.
    Images are brought to `judged_size` pixels, bilinearly, before the frozen network sees them. Maps with sides of more
    than `places` pixels are halved until they have no more, or have the size of the smallest map. `widths`: channels of
    the mixtures and, from the second on, of the halved maps. `normalized`: whether batch normalization follows each halving, as in the paper. `group_size`:
    of how many images each discriminator is told how much they differ, see `layers.MinibatchStdDev`; 1: of none.
    """

    def __init__(self, judged_size=224, widths=(64, 128, 256, 512), places=8, normalized=False,
                 group_size=8, name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.judged_size, self.frozen = judged_size, EfficientNetLite0()
        self.mixtures = [_frozen(width, f"mixture_{i}") for i, width in enumerate(widths)]
        self.from_smaller = [_frozen(width, f"from_smaller_{i}") for i, width in enumerate(widths[:-1])]
        self.spreads = [MinibatchStdDev(group_size, name=f"spread_{i}") for i in range(len(widths))
                        if group_size > 1]
        self.halvings = []
        for i in range(len(widths)):
            num = max(0, math.ceil(math.log2(judged_size / (4 * 2 ** i) / places)))
            self.halvings.append([SpectralNormalized(width, 4, 2, padding="same", name=f"hidden_{i}_{j}")
                                  for j, width in list(enumerate(widths))[i + 1:][:num]])
        self.norms = [[batch_normalization(0.9, name=hidden.name.replace("hidden", "norm")) for hidden in each]
                      for each in self.halvings if normalized]
        self.to_logits = [SpectralNormalized(1, 4, padding="valid", dtype="float32", name=f"to_logits_{i}")
                          for i in range(len(widths))]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")

    def call(self, images, training=False, seed=None):
        """`seed` is not needed."""
        if images.shape[-1] == 1:
            images = tf.repeat(images, 3, axis=-1)
        images = tf.image.resize(images, [self.judged_size] * 2, "bilinear")
        logits = []
        for i, x in enumerate(_mixed(self.frozen.maps(127.5 * (images + 1.0)), self.mixtures, self.from_smaller)):
            if self.spreads:
                x = self.spreads[i](x)
            for j, halving in enumerate(self.halvings[i]):
                x = halving(x, training=training)
                if self.norms:
                    x = self.norms[i][j](x, training=training)
                x = self.leaky_relu(x)
            x = self.to_logits[i](x, training=training)
            logits.append(tf.reshape(x, [tf.shape(x)[0], x.shape[1] * x.shape[2]]))
        return tf.concat(logits, axis=1)


def _mixed(maps, mixtures, from_smaller):
    """From the smallest map up: its own channels mixed, plus those of the map below, brought to its size."""
    mixed = [None] * len(maps)
    for i in reversed(range(len(maps))):
        mixed[i] = mixtures[i](maps[i])
        if i + 1 < len(maps):
            below = tf.image.resize(from_smaller[i](mixed[i + 1]), tf.shape(mixed[i])[1:3], "bilinear")
            mixed[i] = (mixed[i] + tf.cast(below, mixed[i].dtype)) / 2.0 ** 0.5
    return mixed


def _frozen(width, name):
    # Of variance 1 / fan_in: no activation follows that would halve it.
    return tf.keras.layers.Conv2D(width, 1, use_bias=False, kernel_initializer="lecun_normal", trainable=False,
                                  name=name)


def example_maps(height, width) -> list:
    """Maps of zeros as of one image [1, height, width, 3], to build the network with."""
    return [tf.zeros([1, -(-height // n), -(-width // n), channels])
            for n, channels in zip((4, 8, 16, 32), MAP_CHANNELS)]
