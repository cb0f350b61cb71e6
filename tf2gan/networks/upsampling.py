"""Nearest-neighbour upsampling and a convolution in one layer."""
import tensorflow as tf

from tf2gan.networks.layers import AddingConv2D, SpectralNormalized, sizes
from tf2gan.networks.resizing import doubled

LEAST_PIXELS = 256  # in a batch of inputs; with fewer, summing the weights costs as much as it saves

# Nearest-neighbour doubling repeats each row, so the weights that meet both copies can be summed first. These tables
# say which weights (taps) an input row gets for each output row that sees it; they hold for columns too.
_SUMS_OF_3 = ([0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0])  # [output row around one input row, tap]
_SUMS_OF_4 = (([1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]),  # [even or odd output row, input row, tap]
              ([0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]))


class UpsamplingConv2D(AddingConv2D):
    """UpSampling2D by nearest neighbours and a 3x3 or 4x4 `same` convolution, in one layer.

    [batch, height, width, channels] -> [batch, 2 * height, 2 * width, num_outputs]. Its weights are those of the
    convolution; its result is the same up to rounding. It needs 16 of every 36 multiplications for 3x3, 36 of every 64
    for 4x4.
    """

    def __init__(self, num_outputs, size, **kwargs):
        if size not in (3, 4):
            raise ValueError(f"size {size}: must be 3 or 4")
        super().__init__(num_outputs, size, padding="same", **kwargs)
        self.least_pixels = LEAST_PIXELS

    def convolution_op(self, inputs, kernel):
        return doubled_and_convolved(inputs, tf.convert_to_tensor(kernel), self.least_pixels)

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(_doubled(input_shape))


class SpectralUpsampling(SpectralNormalized):
    """The same with a 3x3 convolution whose kernel is divided by its spectral norm."""

    def __init__(self, num_outputs, name=None, dtype=None):
        super().__init__(num_outputs, 3, padding="same", name=name, dtype=dtype)

    def _convolved(self, inputs, kernel):
        return doubled_and_convolved(inputs, kernel)


def doubled_and_convolved(inputs, kernel, least_pixels=LEAST_PIXELS):
    """What `UpsamplingConv2D` computes, without its bias: [batch, 2 * height, 2 * width, num_outputs]."""
    pixels = inputs.shape[:3].num_elements()
    if (LEAST_PIXELS if pixels is None else pixels) < least_pixels:
        return tf.nn.conv2d(_doubled_map(inputs), kernel, 1, "SAME")
    return _transposed(inputs, kernel) if kernel.shape[0] == 3 else _phases(inputs, kernel)


@tf.custom_gradient
def _doubled_map(inputs):
    """`doubled`, whose own gradient is a sum that is rounded in another order for another size of the batch."""
    return doubled(inputs), lambda gradient: (gradient[:, ::2, ::2] + gradient[:, ::2, 1::2]
                                              + gradient[:, 1::2, ::2] + gradient[:, 1::2, 1::2])


def _doubled(shape):
    batch, height, width, channels = shape
    return batch, height and 2 * height, width and 2 * width, channels


def _transposed(inputs, kernel):
    """A 3x3 convolution of the doubled map, as a 4x4 transposed convolution of stride 2 with summed weights."""
    summed = _summed(_SUMS_OF_3, _SUMS_OF_3, kernel)  # [4, 4, channels, num_outputs]
    batch, height, width, _ = sizes(inputs)
    return tf.nn.conv2d_transpose(inputs, tf.transpose(summed, [0, 1, 3, 2]),
                                  [batch, 2 * height, 2 * width, kernel.shape[3]], 2, "SAME")


def _phases(inputs, kernel):
    """A 4x4 convolution of the doubled map, as a 3x3 one of the map that outputs all four new pixels.

    A 5x5 transposed convolution needs 25 instead of these 36 multiplications, but was slower for most channel counts.
    """
    phases = [_summed(rows, columns, kernel) for rows in _SUMS_OF_4 for columns in _SUMS_OF_4]
    return tf.nn.depth_to_space(tf.nn.conv2d(inputs, tf.concat(phases, axis=-1), 1, "SAME"), 2)


def _summed(rows, columns, kernel):
    """A kernel's weights, summed as the tables say: [len(rows), len(columns), channels, num_outputs]."""
    taps = tf.constant([[[[r * c for c in column] for r in row] for column in columns] for row in rows], kernel.dtype)
    num_taps = len(rows[0]) * len(columns[0])
    flat = tf.matmul(tf.reshape(taps, [-1, num_taps]), tf.reshape(kernel, [num_taps, -1]))
    return tf.reshape(flat, [len(rows), len(columns), *kernel.shape[2:]])
