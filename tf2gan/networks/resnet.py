"""The CycleGAN paper's generator: downsample, residual blocks, upsample (Johnson et al. 2016)."""
import tensorflow as tf

from tf2gan.networks.layers import ReflectionPadding2D, instance_normalization
from tf2gan.networks.unet import convolution, initial_weights


class ResidualBlock(tf.keras.layers.Layer):
    """x + norm(conv(relu(norm(conv(x))))), two 3x3 convolutions with reflection padding; shape in = shape out.

    `normalization`: function from a name to a layer, of the maps and, if the block is called with them, of styles.
    """

    def __init__(self, filters, normalization=instance_normalization, **kwargs):
        super().__init__(**kwargs)
        self.pad = ReflectionPadding2D(1, name="pad")
        self.convolutions = [convolution(filters, 3, padding="valid", use_bias=False, name=f"conv_{i}") for i in (0, 1)]
        self.norms = [normalization(f"norm_{i}") for i in (0, 1)]

    def call(self, inputs, styles=None):
        more = () if styles is None else (styles,)
        x = tf.nn.relu(self.norms[0](self.convolutions[0](self.pad(inputs)), *more))
        return inputs + tf.cast(self.norms[1](self.convolutions[1](self.pad(x)), *more), inputs.dtype)


class ResNet(tf.keras.Model):
    """c7s1-64, d128, d256, `num_blocks` x R256, u128, u64, c7s1-3 (Zhu et al. 2017, sec. 7.2).

    Images [batch, height, width, channels] in [-1, 1] in and out; height and width divisible by 4, at least 16.
    """

    size_multiple = 4
    size_minimum = 16

    def __init__(self, channels=3, filters=64, num_blocks=9, name="resnet"):
        super().__init__(name=name, dtype="float32")
        # A normalization cancels the bias before it, so only the last convolution has one.
        self.pad = ReflectionPadding2D(3, name="pad")
        self.from_image = convolution(filters, 7, padding="valid", use_bias=False, name="from_image")
        self.down_convolutions = [convolution(filters * 2 ** i, 3, 2, use_bias=False, name=f"down_{i}") for i in (1, 2)]
        self.blocks = [ResidualBlock(4 * filters, name=f"block_{i}") for i in range(num_blocks)]
        self.up_convolutions = [
            tf.keras.layers.Conv2DTranspose(
                filters * 2 ** i, 3, 2, padding="same", use_bias=False, name=f"up_{i}",
                kernel_initializer=initial_weights())
            for i in (1, 0)]
        self.norms = [instance_normalization(f"norm_{i}") for i in range(5)]
        self.to_image = convolution(channels, 7, padding="valid", dtype="float32", name="to_image")

    def call(self, images, training=False, seed=None):
        """`training` and `seed` have no effect: the network has no dropout."""
        return self.with_features(images)[0]

    def with_features(self, images):
        """(what `call` returns, what `features` returns) of one pass."""
        x, found = self._encoded(images, len(self.blocks))
        for conv, norm in zip(self.up_convolutions, self.norms[3:]):
            x = tf.nn.relu(norm(conv(x)))
        return tf.tanh(self.to_image(self.pad(x))), found

    def features(self, images):
        """Maps of five depths: the image, after both halvings, after residual blocks 1 and 5 (or the last, if fewer).

        Park et al. 2020 (arXiv 2007.15651), appendix C.
        """
        return self._encoded(images, min(5, len(self.blocks)))[1]

    def _encoded(self, images, num_blocks):
        x = tf.nn.relu(self.norms[0](self.from_image(self.pad(images))))
        found = [images]
        for conv, norm in zip(self.down_convolutions, self.norms[1:3]):
            x = conv(x)
            found.append(x)
            x = tf.nn.relu(norm(x))
        for number, block in enumerate(self.blocks[:num_blocks], start=1):
            x = block(x)
            if number in (1, min(5, len(self.blocks))):
                found.append(x)
        return x, found
