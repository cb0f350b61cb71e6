"""The default generator of CycleGAN: residual blocks on small maps, and skips at each larger size up to the image's."""
import tensorflow as tf

from tf2gan.networks.layers import instance_normalization
from tf2gan.networks.resnet import ResidualBlock
from tf2gan.networks.unet import convolution, initial_weights
from tf2gan.networks.upsampling import UpsamplingConv2D


class ResUNet(tf.keras.Model):
    """Three halvings, `num_blocks` residual blocks, three doublings.

    It joins what the other two generators have: the U-Net's skips, and the ResNet's residual blocks with reflection
    padding (Zhu et al. 2017, sec. 7.2). Most of the work is done at 1/8 of the size, where it is cheap. The image is
    the last skip: what needs no change passes unharmed. Every convolution is centred on its pixel, or halves or doubles
    the size: a 4x4 one of stride 1 would shift the image by half a pixel.

    Images [batch, height, width, channels] in [-1, 1] in and out; height and width divisible by 8, at least 16.
    """

    size_multiple = 8
    size_minimum = 16

    def __init__(self, channels=3, filters=32, num_blocks=4, name="resunet"):
        super().__init__(name=name, dtype="float32")
        # A normalization cancels the bias before it, so convolutions that one follows have none.
        self.down_convolutions = [convolution(filters * 2 ** i, 4, 2, use_bias=i == 0, name=f"down_{i}")
                                  for i in range(3)]
        self.down_norms = [instance_normalization(f"down_norm_{i}") for i in (1, 2)]
        self.blocks = [ResidualBlock(4 * filters, name=f"block_{i}") for i in range(num_blocks)]
        widths = (2 * filters, filters)
        self.up_convolutions = [_doubling(width, f"up_{i}") for i, width in enumerate(widths)]
        self.up_norms = [instance_normalization(f"up_norm_{i}") for i in range(2)]
        self.joins = [convolution(width, size, use_bias=False, name=f"join_{i}")
                      for i, (width, size) in enumerate(zip(widths, (1, 3)))]
        self.join_norms = [instance_normalization(f"join_norm_{i}") for i in range(2)]
        self.block_at_quarter = ResidualBlock(2 * filters, name="block_at_quarter")
        self.up_to_full = _doubling(max(filters // 2, 1), "up_2", use_bias=True)
        self.leaky_relu = tf.keras.layers.LeakyReLU(0.2, dtype="float32", name="leaky_relu")
        self.to_image = convolution(channels, 5, dtype="float32", name="to_image")

    def call(self, images, training=False, seed=None):
        """`training` and `seed` have no effect: the network has no dropout."""
        return self.with_features(images)[0]

    def with_features(self, images):
        """(what `call` returns, what `features` returns) of one pass."""
        x, half, quarter, found = self._encoded(images)
        x = self.block_at_quarter(self._joined(0, x, quarter))
        x = self.leaky_relu(self.up_to_full(self._joined(1, x, half)))
        return tf.tanh(self.to_image(tf.concat([tf.cast(x, tf.float32), images], axis=-1))), found

    def features(self, images):
        """Maps of five depths: the image, at 1/2 and 1/4 of the size, after the first and the last residual block."""
        return self._encoded(images)[-1]

    def _encoded(self, images):
        half = self.leaky_relu(self.down_convolutions[0](images))
        quarter = self.leaky_relu(self.down_norms[0](self.down_convolutions[1](half)))
        x = self.leaky_relu(self.down_norms[1](self.down_convolutions[2](quarter)))
        found = [images, half, quarter]
        for number, block in enumerate(self.blocks, start=1):
            x = block(x)
            if number in (1, len(self.blocks)):
                found.append(x)
        return x, half, quarter, found

    def _joined(self, i, x, skip):
        """x at twice the size, together with the skip of that size."""
        x = self.leaky_relu(self.up_norms[i](self.up_convolutions[i](x)))
        x = tf.concat([x, tf.cast(skip, x.dtype)], axis=-1)
        return self.leaky_relu(self.join_norms[i](self.joins[i](x)))


def _doubling(filters, name, use_bias=False):
    return UpsamplingConv2D(filters, 3, use_bias=use_bias, kernel_initializer=initial_weights(), name=name)
