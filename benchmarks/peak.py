"""The machine's own peak: the most floating-point operations a second that TensorFlow's convolutions reach on it."""
import time

import tensorflow as tf

from benchmarks import flops

# (batch, height and width, channels in, channels out, kernel): large ones of many channels, where hardware is at its
# best, in shapes as networks here have them.
SHAPES = ((1, 64, 256, 256, 3), (8, 32, 256, 256, 3), (32, 16, 256, 256, 3), (32, 14, 128, 128, 3),
          (2, 64, 128, 256, 4))
KINDS = ("forward", "backprop_input", "backprop_filter")
CANDIDATES = 3  # that all rounds measure: the fastest ones of the warm-up


class Peak:
    """A contestant of the rounds, so that the peak is that of the same minutes."""

    def __init__(self, job):
        """`job`: {"precision"}."""
        self._dtype = tf.dtypes.as_dtype(job["precision"])
        self._ran = []

    def first_step(self):
        for shape in SHAPES:
            batch, size, inputs, outputs, kernel = shape
            values = [tf.cast(tf.random.stateless_normal(dims, [1, 2]), self._dtype) for dims in
                      ([batch, size, size, inputs], [kernel, kernel, inputs, outputs], [batch, size, size, outputs])]
            for kind in KINDS:
                run = _convolution(kind, values).get_concrete_function(*values)
                self._ran.append((kind, shape, run, values, flops.count(run.graph)))
        return None

    def warm_up(self, seconds):
        """Keeps the fastest candidates; what they are, for people."""
        rates = [max(_rate(run, values, count, seconds / 50) for _ in range(2))
                 for _, _, run, values, count in self._ran]
        order = sorted(range(len(rates)), key=lambda i: -rates[i])[:CANDIDATES]
        self._ran = [self._ran[i] for i in order]
        batch, size, inputs, outputs, kernel = self._ran[0][1]
        return (f"{self._ran[0][0]} convolution, {kernel}x{kernel}, {inputs} to {outputs} channels, "
                f"{batch}x{size}x{size}")

    def rate(self, seconds) -> float:
        """10^9 operations a second of the fastest candidate in this round."""
        return max(_rate(run, values, count, seconds / CANDIDATES) for _, _, run, values, count in self._ran) / 1e9


def _convolution(kind, values):
    images, filters, gradients = values

    @tf.function
    def run(images, filters, gradients):
        # One number is taken out, so that nothing is copied and nothing is left out.
        if kind == "forward":
            result = tf.nn.conv2d(images, filters, 1, "SAME")
        elif kind == "backprop_input":
            result = tf.raw_ops.Conv2DBackpropInput(input_sizes=images.shape, filter=filters, out_backprop=gradients,
                                                    strides=[1] * 4, padding="SAME")
        else:
            result = tf.raw_ops.Conv2DBackpropFilter(input=images, filter_sizes=filters.shape, out_backprop=gradients,
                                                     strides=[1] * 4, padding="SAME")
        return tf.reshape(result, [-1])[0]

    return run


def _rate(run, values, count, seconds):
    run(*values)
    done, began = 0, time.perf_counter()
    while done < 2 or time.perf_counter() - began < seconds:
        run(*values).numpy()
        done += 1
    return count * done / (time.perf_counter() - began)
