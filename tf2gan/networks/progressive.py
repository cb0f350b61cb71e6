"""The growing networks of Progressive GAN (Karras et al. 2017, arXiv 1710.10196, table 2).

All levels are created at once; a call uses those up to a given level. Level 0 makes or takes images of 4x4 pixels, and
each further level doubles their height and width. While a level is faded in, `alpha` goes from 0 to 1: the result is
blended from that of the level below, with images doubled or halved, and that of the new level (fig. 2). `alpha` None:
the level is fully faded in, and the one below is not computed.
"""
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks.layers import Dropout, Equalized, MinibatchStdDev, PixelNormalization
from tf2gan.networks.resizing import doubled

START = 4  # pixels of level 0


def num_levels(size):
    """The number of levels for images of `size` pixels, a power of two from 4 on."""
    return size.bit_length() - START.bit_length() + 1


def width(level, base, most):
    """Channels of a level's feature maps: `base` / 2 at 4x4, half as many at each further level, at most `most`."""
    return max(1, min(base // 2 ** (level + 1), most))


def halved(images):
    """[batch, height, width, channels] with each 2x2 pixels averaged."""
    return tf.nn.avg_pool2d(images, 2, 2, "VALID")


def blended(old, new, alpha):
    """(1 - alpha) old + alpha new; exactly `old` at 0 and `new` at 1."""
    # In float32: a bfloat16 alpha has steps of up to 1/256, and would differ from that of the real images.
    mixed = (1.0 - alpha) * tf.cast(old, tf.float32) + alpha * tf.cast(new, tf.float32)
    return tf.cast(mixed, new.dtype)


def _build(layer, num_channels):
    with tf.name_scope(layer.name):  # Keras 2 enters it only for calls
        layer.build([None, num_channels])


class _Progressive(tf.keras.Model):
    """Base of both networks: two layers per level, and a third to or from its images."""

    def __call__(self, inputs, level=None, alpha=None, **options):
        """As `call`; Keras 3 takes non-tensors by keyword only."""
        return super().__call__(inputs, level=level, alpha=alpha, **options)

    def _build_levels(self, *widths):
        """Creates the weights of all levels, whichever is called first.

        `widths`: for each of a level's three layers, a sequence of its input channels by level.
        """
        for (first, second), image, *channels in zip(self.levels, self.images, *widths):
            for layer, num in zip((first, second, image), channels):
                _build(layer, num)

    def level_variables(self, level):
        """The trainable variables that a call for this level uses, also while it is faded in."""
        layers = [layer for each in self.levels[:level + 1] for layer in each]
        layers += [*self.images[max(level - 1, 0):level + 1], *self.always]
        return [variable for layer in layers for variable in layer.trainable_variables]

    def _hidden(self, layer, x, training, seed, number):
        """A layer, leaky ReLU and dropout; `number` makes its mask differ from other layers'."""
        x = tf.nn.leaky_relu(layer(x), 0.2)
        return self.dropout(x, training=training, seed=None if seed is None else fold(seed, number))


class ProgressiveGenerator(_Progressive):
    """Latents [batch, latent_size] to images [batch, size, size, channels] in about [-1, 1], without a final tanh.

    `size`: pixels at the last level, a power of two. Latents are first scaled to length sqrt(latent_size). A leaky ReLU
    and pixelwise normalization follow each convolution. `base`, `most`: see `width`.
    """

    def __init__(self, size, channels, base=8192, most=512, dropout=0.0, name="generator"):
        super().__init__(name=name, dtype="float32")
        self.widths = widths = tuple(width(level, base, most) for level in range(num_levels(size)))
        self.start = tf.keras.layers.Reshape([START, START, widths[0]], name="start")
        self.normalize = PixelNormalization(name="normalize")
        self.dropout = Dropout(dropout, name="dropout")
        self.levels = [[Equalized(START * START * widths[0], name="dense_0") if level == 0
                        else Equalized(num, 3, name=f"conv_{level}_0"),
                        Equalized(num, 3, name=f"conv_{level}_1")] for level, num in enumerate(widths)]
        self.images = [Equalized(channels, 1, gain=1.0, dtype="float32", name=f"to_image_{level}")
                       for level in range(len(widths))]
        self.always = []

    def build(self, input_shape):
        self._build_levels((input_shape[-1], *self.widths), self.widths, self.widths)

    def call(self, latents, level=None, alpha=None, training=False, seed=None):
        """Images of 4 * 2^level pixels; level None is the last. `seed` (int tensor [2]): for dropout in training."""
        level = len(self.levels) - 1 if level is None else level
        x, below = self.normalize(latents), None
        for i, (first, second) in enumerate(self.levels[:level + 1]):
            below = x
            x = self._hidden(first, doubled(x) if i else x, training, seed, 2 * i)
            x = self.normalize(x if i else self.start(x))
            x = self.normalize(self._hidden(second, x, training, seed, 2 * i + 1))
        image = self.images[level](x)
        if alpha is None or level == 0:
            return image
        return blended(doubled(self.images[level - 1](below)), image, alpha)


class ProgressiveDiscriminator(_Progressive):
    """Images [batch, size, size, channels] in [-1, 1] to logits [batch, 1]; mirrors the generator.

    The last convolution, at 4x4, also gets the spread of the batch (`networks.layers.MinibatchStdDev`).
    """

    def __init__(self, size, base=8192, most=512, group_size=4, dropout=0.0, name="discriminator"):
        super().__init__(name=name, dtype="float32")
        self.widths = widths = tuple(width(level, base, most) for level in range(num_levels(size)))
        self.dropout = Dropout(dropout, name="dropout")
        self.spread = MinibatchStdDev(group_size, name="spread")
        self.flatten = tf.keras.layers.Flatten(name="flatten")
        self.images = [Equalized(num, 1, name=f"from_image_{level}") for level, num in enumerate(widths)]
        self.levels = [[Equalized(num, 3, name=f"conv_{level}_0"),
                        Equalized(min(base, most), name="dense_0") if level == 0
                        else Equalized(widths[level - 1], 3, name=f"conv_{level}_1")]
                       for level, num in enumerate(widths)]
        self.to_logit = Equalized(1, gain=1.0, dtype="float32", name="to_logit")
        self.always = [self.to_logit]

    def build(self, input_shape):
        first, *others = self.widths
        self._build_levels((first + 1, *others), (START * START * first, *others), [input_shape[-1]] * len(self.widths))
        _build(self.to_logit, self.levels[0][1].num_outputs)

    def call(self, images, level=None, alpha=None, training=False, seed=None):
        """`images` of 4 * 2^level pixels; other arguments as in the generator."""
        level = len(self.levels) - 1 if level is None else level
        x = tf.nn.leaky_relu(self.images[level](images), 0.2)
        for i in range(level, -1, -1):
            first, second = self.levels[i]
            x = self._hidden(first, x if i else self.spread(x), training, seed, 2 * i)
            x = self._hidden(second, x if i else self.flatten(x), training, seed, 2 * i + 1)
            if i:
                x = halved(x)
            if i == level and i and alpha is not None:
                x = blended(tf.nn.leaky_relu(self.images[level - 1](halved(images)), 0.2), x, alpha)
        return self.to_logit(x)
