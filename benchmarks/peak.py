"""The machine's peak: the most floating-point operations per second that TensorFlow's convolutions reach on it."""
import time

import tensorflow as tf

from benchmarks import flops

# (batch, height and width, input channels, output channels, kernel): large convolutions with many channels, which run
# fastest, in shapes that occur in the networks here.
SHAPES = ((1, 64, 256, 256, 3), (8, 32, 256, 256, 3), (32, 16, 256, 256, 3), (32, 14, 128, 128, 3),
          (2, 64, 128, 256, 4))
KINDS = ("forward", "backprop_input", "backprop_filter")
CANDIDATES = 3  # the fastest ones of the warm-up, which every round measures


class Peak:
    """Takes part in the rounds as a contestant does, so that the peak is measured in the same minutes."""

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
        """Keeps the fastest candidates; returns a description of the fastest."""
        rates = [max(_rate(run, values, count, seconds / 50) for _ in range(2))
                 for _, _, run, values, count in self._ran]
        order = sorted(range(len(rates)), key=lambda i: -rates[i])[:CANDIDATES]
        self._ran = [self._ran[i] for i in order]
        batch, size, inputs, outputs, kernel = self._ran[0][1]
        return (f"{self._ran[0][0]} convolution, {kernel}x{kernel}, {inputs} to {outputs} channels, "
                f"{batch}x{size}x{size}")

    def device(self) -> str:
        """What it runs on: the name of the GPU, or that there is none."""
        gpus = tf.config.list_physical_devices("GPU")
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "a GPU") if gpus else "no GPU"

    def rate(self, seconds) -> float:
        """Operations per second, in units of 10^9, of the fastest candidate in this round."""
        return max(_rate(run, values, count, seconds / CANDIDATES) for _, _, run, values, count in self._ran) / 1e9


def _convolution(kind, values):
    images, filters, gradients = values

    @tf.function
    def run(images, filters, gradients):
        # Returning one number copies nothing, yet nothing can be optimized away.
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
