"""Doubling a map and convolving it, in one."""
import tensorflow as tf

from tf2gan.networks.layers import Conv2D

LEAST_PIXELS = 256  # of a batch of inputs; below, adding up the weights costs as much as it saves

# What weights a row or column of the input has for each of those of the doubled map that see it: a map that nearest
# neighbours have doubled has each of its rows twice, so the weights that meet the two can be added up first.
_SUMS_OF_3 = ([0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0])  # [rows of the output around one of the input, tap]
_SUMS_OF_4 = (([1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]),  # [even or odd row of the output, row of the input, tap]
              ([0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]))


class UpsamplingConv2D(Conv2D):
    """UpSampling2D, by nearest neighbours, and a 3x3 or 4x4 `same` convolution, in one.

    [batch, height, width, channels] -> [batch, 2 height, 2 width, num_outputs]. Weights are those of the convolution,
    and so is the result up to rounding, for 16 of every 36 multiplications if it is 3x3, and 36 of 64 if it is 4x4.
    """

    def __init__(self, num_outputs, size, **kwargs):
        if size not in (3, 4):
            raise ValueError(f"size {size}: must be 3 or 4")
        super().__init__(num_outputs, size, padding="same", **kwargs)
        self.least_pixels = LEAST_PIXELS

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(self._doubled(input_shape))

    @staticmethod
    def _doubled(shape):
        batch, height, width, channels = shape
        return batch, height and 2 * height, width and 2 * width, channels

    def convolution_op(self, inputs, kernel):
        kernel = tf.convert_to_tensor(kernel)
        pixels = inputs.shape[:3].num_elements()
        if (LEAST_PIXELS if pixels is None else pixels) < self.least_pixels:
            doubled = tf.image.resize(inputs, 2 * tf.shape(inputs)[1:3], "nearest")
            return tf.nn.conv2d(tf.ensure_shape(doubled, self._doubled(inputs.shape)), kernel, 1, "SAME")
        if self.kernel_size[0] == 3:
            return _transposed(inputs, kernel)
        return _phases(inputs, kernel)


def _transposed(inputs, kernel):
    """A 3x3 convolution of the doubled map: the 4x4 transposed convolution of stride 2 with sums of its weights."""
    summed = _summed(_SUMS_OF_3, _SUMS_OF_3, kernel)  # [4, 4, channels, num_outputs]
    batch, height, width = tf.unstack(tf.shape(inputs)[:3])
    return tf.nn.conv2d_transpose(inputs, tf.transpose(summed, [0, 1, 3, 2]),
                                  [batch, 2 * height, 2 * width, kernel.shape[3]], 2, "SAME")


def _phases(inputs, kernel):
    """A 4x4 convolution of the doubled map: a 3x3 one of the map itself, with outputs for each of the four new pixels.

    A 5x5 transposed convolution needs 25 instead of these 36 multiplications, but has been slower at most widths.
    """
    phases = [_summed(rows, columns, kernel) for rows in _SUMS_OF_4 for columns in _SUMS_OF_4]
    return tf.nn.depth_to_space(tf.nn.conv2d(inputs, tf.concat(phases, axis=-1), 1, "SAME"), 2)


def _summed(rows, columns, kernel):
    """Sums of a kernel's weights: [len(rows), len(columns), channels, num_outputs]."""
    taps = tf.constant([[[[r * c for c in column] for r in row] for column in columns] for row in rows], kernel.dtype)
    num_taps = len(rows[0]) * len(columns[0])
    flat = tf.matmul(tf.reshape(taps, [-1, num_taps]), tf.reshape(kernel, [num_taps, -1]))
    return tf.reshape(flat, [len(rows), len(columns), *kernel.shape[2:]])
