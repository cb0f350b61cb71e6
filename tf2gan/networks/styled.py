"""Networks of Augmented CycleGAN: generators that a style steers, and encoders that find it."""
import functools

import tensorflow as tf

from tf2gan.networks.layers import Dense, ReflectionPadding2D, layer_normalization
from tf2gan.networks.resnet import ResidualBlock
from tf2gan.networks.unet import convolution, initial_weights
from tf2gan.networks.upsampling import UpsamplingConv2D


class StyledNormalization(tf.keras.layers.Layer):
    """Instance normalization whose scale and offset of each channel are linear in a style.

    Dumoulin et al. 2016 (arXiv 1610.07629, eq. 5), with a continuous style in place of the number of a painter. Images
    [batch, height, width, channels] and styles [batch, n] to such images, float32.
    """

    def __init__(self, channels, name=None):
        super().__init__(name=name, dtype="float32")
        self.channels = channels
        self.to_scales = Dense(channels, kernel_initializer=initial_weights(), bias_initializer="ones",
                               dtype="float32", name="to_scales")
        self.to_offsets = Dense(channels, kernel_initializer=initial_weights(), dtype="float32", name="to_offsets")

    def call(self, inputs, styles):
        inputs = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(inputs, [1, 2], keepdims=True)
        scales, offsets = (layer(styles)[:, None, None] for layer in (self.to_scales, self.to_offsets))
        return (inputs - mean) * (tf.math.rsqrt(variance + 1e-5) * scales) + offsets


class StyledResNet(tf.keras.Model):
    """Two halvings, residual blocks, two doublings, all steered by a style (Almahairi et al. 2018, sec. 3).

    Images [batch, height, width, channels] in [-1, 1] and styles [batch, n] to such images; height and width divisible
    by 4, at least 16. Where the paper has transposed convolutions, a doubling repeats pixels: no checkerboard.
    """

    size_multiple = 4
    size_minimum = 16

    def __init__(self, channels=3, filters=32, num_blocks=4, name="generator"):
        super().__init__(name=name, dtype="float32")
        self.pad = ReflectionPadding2D(3, name="pad")
        self.from_image = convolution(filters, 7, padding="valid", use_bias=False, name="from_image")
        self.down_convolutions = [convolution(filters * 2 ** i, 3, 2, use_bias=False, name=f"down_{i}") for i in (1, 2)]
        self.blocks = [ResidualBlock(4 * filters, functools.partial(StyledNormalization, 4 * filters),
                                     name=f"block_{i}") for i in range(num_blocks)]
        self.up_convolutions = [UpsamplingConv2D(filters * 2 ** i, 3, use_bias=False,
                                                 kernel_initializer=initial_weights(), name=f"up_{i}") for i in (1, 0)]
        self.norms = [StyledNormalization(filters * scale, f"norm_{i}") for i, scale in enumerate((1, 2, 4, 2, 1))]
        self.to_image = convolution(channels, 7, padding="valid", dtype="float32", name="to_image")

    def call(self, images, styles, training=False):
        """`training` has no effect."""
        x = self.pad(images)
        for conv, norm in zip([self.from_image, *self.down_convolutions], self.norms[:3]):
            x = tf.nn.relu(norm(conv(x), styles))
        for block in self.blocks:
            x = block(x, styles)
        for conv, norm in zip(self.up_convolutions, self.norms[3:]):
            x = tf.nn.relu(norm(conv(x), styles))
        return tf.tanh(self.to_image(self.pad(x)))


class StyleEncoder(tf.keras.Model):
    """What images have that their partners of the other domain do not tell: styles, float32 [batch, style_size].

    Both are [batch, height, width, channels] in [-1, 1], of any size divisible by 16. Normalization is over all
    channels together: over each alone, it would take the colours away, of which a style may tell.
    """

    size_multiple = 16
    size_minimum = 32

    def __init__(self, style_size, filters=32, name="encoder"):
        super().__init__(name=name, dtype="float32")
        self.convolutions = [convolution(filters * 2 ** i, 4, 2, name=f"conv_{i}") for i in range(4)]
        self.norms = [layer_normalization(f"norm_{i}") for i in (1, 2, 3)]
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_style = Dense(style_size, dtype="float32", name="to_style")

    def call(self, images, partners, training=False):
        """`training` has no effect."""
        x = self.leaky_relu(self.convolutions[0](tf.concat([images, partners], axis=-1)))
        for conv, norm in zip(self.convolutions[1:], self.norms):
            x = self.leaky_relu(norm(conv(x)))
        return self.to_style(tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2]))
