"""Layers that Keras lacks. The only file that uses tensorflow-addons."""
import math
import warnings

import tensorflow as tf

from tf2gan.core import seeds

with warnings.catch_warnings():
    # Both warnings are about tensorflow-addons itself and say nothing about the user's program.
    warnings.filterwarnings("ignore", message=r"(?s).*TensorFlow Addons \(TFA\) has ended development")
    warnings.filterwarnings("ignore", message=r"(?s).*Tensorflow Addons supports using Python ops")
    try:
        from tensorflow_addons.layers import InstanceNormalization as _InstanceNormalization
    except ImportError:  # tensorflow-addons does not exist for TensorFlow 2.16 and newer, with Keras 3
        _InstanceNormalization = None

# For a variable that all replicas set to the same value; Keras 2 and Keras 3 have names of their own.
_ONLY_FIRST_REPLICA = ("only_first_replica" if hasattr(tf.keras, "ops")
                       else tf.VariableAggregation.ONLY_FIRST_REPLICA)


def variable_name(variable) -> str:
    """A variable's name with those of its network and layer, the same for both versions of Keras: `net/dense/kernel`.
    """
    return getattr(variable, "path", variable.name).split(":")[0]


def instance_normalization(name=None):
    """Instance normalization (Ulyanov et al. 2016, arXiv 1607.08022) with a scale and an offset for each channel.

    Images [batch, height, width, channels] in and out. Statistics are over height and width, in float32. Epsilon is
    1e-5 as in the paper's code (Keras and addons default to 1e-3).
    """
    if _InstanceNormalization is not None:
        return _InstanceNormalization(epsilon=1e-5, dtype="float32", name=name)
    return tf.keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, dtype="float32", name=name)


def batch_normalization(momentum=0.99, name=None):
    """Batch normalization (Ioffe and Szegedy 2015); `momentum`: as in Keras, of the moving statistics.

    Statistics are in float32 and over the whole batch across replicas, so that their number changes only rounding.
    """
    # Synchronized on one replica too: Keras's other path estimates the variance differently, dividing by n - 1.
    return BatchNormalization(momentum=momentum, synchronized=True, dtype="float32", name=name)


class BatchNormalization(tf.keras.layers.BatchNormalization):
    """Keras's layer, except that moving statistics are read from one replica: synchronized, all have the same.

    Keras 2 would average them over replicas at every read, and all machines would have to read at the same time.
    """

    def add_weight(self, *args, **kwargs):
        if "synchronization" in kwargs:
            kwargs["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
        return super().add_weight(*args, **kwargs)


class ConditionalBatchNormalization(tf.keras.layers.Layer):
    """Batch normalization whose scale and offset of each channel belong to the label (de Vries et al. 2017, sec. 3).

    Images [batch, height, width, channels] and labels, int [batch] below `num_classes`, to such images. All classes
    start with scale 1 and offset 0 (Miyato and Koyama 2018, arXiv 1802.05637, use it in their generator).
    """

    def __init__(self, num_classes, momentum=0.99, name=None):
        super().__init__(name=name, dtype="float32")
        self.num_classes = num_classes
        self.norm = BatchNormalization(momentum=momentum, synchronized=True, center=False, scale=False,
                                       dtype="float32", name="norm")

    def build(self, input_shape):
        shape = [self.num_classes, input_shape[-1]]
        self.scales = self.add_weight(name="scales", shape=shape, initializer="ones")
        self.offsets = self.add_weight(name="offsets", shape=shape, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs, labels, training=False):
        scales, offsets = (tf.gather(tf.convert_to_tensor(table), labels)[:, None, None]
                           for table in (self.scales, self.offsets))
        return self.norm(inputs, training=training) * scales + offsets


class LayerNormalization(tf.keras.layers.Layer):
    """Layer normalization over height, width and channels, with a scale and an offset for each channel.

    As in the critic of WGAN-GP (Gulrajani et al. 2017, sec. 4): the gradient of an image depends on no other image.
    The same as Keras's GroupNormalization of one group, which TensorFlow Lite cannot run in batches of any size.
    """

    def __init__(self, name=None):
        super().__init__(name=name, dtype="float32")

    def build(self, input_shape):
        self.gamma = self.add_weight(name="gamma", shape=[input_shape[-1]], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=[input_shape[-1]], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        inputs = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(inputs, [1, 2, 3], keepdims=True)
        return (inputs - mean) * (tf.math.rsqrt(variance + 1e-5) * self.gamma) + self.beta


def layer_normalization(name=None):
    """A `LayerNormalization`."""
    return LayerNormalization(name)


def variable_of(variable):
    """The tf.Variable behind a variable of a layer or an optimizer: Keras 3 wraps it, Keras 2 does not."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def clip_weights(variables, limit):
    """Clips trainable variables to [-limit, limit], in replica context (Arjovsky et al. 2017, algorithm 1, line 7)."""
    variables = [variable_of(v) for v in variables]

    def clip(strategy):
        for variable in variables:
            strategy.extended.update(variable, lambda v: v.assign(tf.clip_by_value(v, -limit, limit)), group=False)

    tf.distribute.get_replica_context().merge_call(clip)


def shifted(images, most, offsets, mode="SYMMETRIC"):
    """Shifts each of the images [n, height, width, channels] by up to `most` pixels, or `most` = (rows, columns).

    `offsets`: int32 [2, n] from 0 to 2 * most. Offset o shifts an image by o - most pixels, upwards or to the left.
    `mode`: of tf.pad, for what comes into sight; by default mirrored edges, "CONSTANT" is 0.
    """
    height, width = tf.unstack(tf.shape(images)[1:3])
    rows, columns = most if isinstance(most, tuple) else (most, most)
    padded = tf.pad(images, [[0, 0], [rows, rows], [columns, columns], [0, 0]], mode=mode)
    part = tf.gather(padded, offsets[0][:, None] + tf.range(height), axis=1, batch_dims=1)
    return tf.ensure_shape(tf.gather(part, offsets[1][:, None] + tf.range(width), axis=2, batch_dims=1), images.shape)


# Keras's layers with another way to add the bias. On a CPU, the bias gradient of Keras's op is summed in bfloat16 if
# its inputs are bfloat16. Soon no further number is large enough to change the sum: for large feature maps it is 99 %
# too small. The gradient of a plain addition is right to the last bit, and as fast. For Keras's own Conv2D it depends
# on the CPU: with AVX-512 oneDNN computes this sum together with the kernel's gradient, without it is as wrong.

class Dense(tf.keras.layers.Dense):
    """Keras's Dense: [batch, num_inputs] -> [batch, num_outputs]."""

    def call(self, inputs):
        return self.activation(tf.matmul(inputs, self.kernel) + self.bias)


class AddingConv2D(tf.keras.layers.Conv2D):
    """Keras's Conv2D, for subclasses with another `convolution_op`."""

    def call(self, inputs):
        outputs = self.convolution_op(inputs, self.kernel)
        return self.activation(outputs + self.bias if self.use_bias else outputs)


class Conv2D(AddingConv2D):
    """Keras's Conv2D: in float32 to the last bit."""

    def call(self, inputs):
        return tf.keras.layers.Conv2D.call(self, inputs) if self.compute_dtype == "float32" else super().call(inputs)


def sizes(inputs):
    """The dimensions of `inputs`: ints where they are known, else int32 tensors.

    Sizes that are computed from tensors are not known to what follows; then TensorFlow Lite cannot have it checked.
    """
    return [size if known is None else known for known, size in zip(inputs.shape, tf.unstack(tf.shape(inputs)))]


class Conv2DTranspose(tf.keras.layers.Conv2DTranspose):
    """Keras's, if "same": [batch, height, width, channels] -> [batch, height * stride, width * stride, num_outputs]."""

    def call(self, inputs):
        batch, height, width, _ = sizes(inputs)
        outputs = tf.nn.conv2d_transpose(inputs, self.kernel, [batch, height * self.strides[0], width * self.strides[1],
                                                               self.filters], self.strides, padding="SAME")
        outputs = tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))
        return self.activation(outputs + self.bias if self.use_bias else outputs)


class Dropout(tf.keras.layers.Layer):
    """Inverted dropout (Srivastava et al. 2014) whose mask is a pure function of the seed it is called with.

    No checkpoint holds the random state of Keras's own layer, so a resumed run would draw other masks.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs, training=False, seed=None):
        """`inputs` of any shape; in training, `seed` is an int tensor [2] and inputs are dropped at `rate`."""
        if not training or self.rate == 0:
            return inputs
        if seed is None:
            raise ValueError(f"{self.name}: a dropout layer in training needs a seed")
        # In float32: bfloat16 numbers from U(0, 1) are multiples of 1/128, which would change the rate.
        kept = seeds.uniform(tf.shape(inputs), seed) >= self.rate
        return tf.where(kept, inputs * (1.0 / (1.0 - self.rate)), 0.0)


class GaussianNoise(tf.keras.layers.Layer):
    """Adds noise from N(0, deviation^2), a pure function of the seed it is called with; see `Dropout`."""

    def __init__(self, deviation, **kwargs):
        super().__init__(**kwargs)
        self.deviation = deviation

    def call(self, inputs, training=False, seed=None):
        """`inputs` of any shape; in training, `seed` is an int tensor [2]."""
        if not training or self.deviation == 0:
            return inputs
        if seed is None:
            raise ValueError(f"{self.name}: a noise layer in training needs a seed")
        noise = seeds.normal(tf.shape(inputs), seed)
        return inputs + tf.cast(self.deviation * noise, inputs.dtype)


class _ExactLinear(tf.keras.layers.Layer):
    """A linear layer that computes its kernel from its weights in float32; Keras would round the weights first.

    Without `size`, a dense layer: [batch, num_inputs] -> [batch, num_outputs]. With `size`, a size x size convolution:
    [batch, height, width, channels] -> [batch, height', width', num_outputs]. Inputs are processed in `dtype`; None is
    the policy's compute type.
    """

    def __init__(self, num_outputs, size, stride, padding, name, dtype):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.num_outputs, self.size, self.stride, self.padding = num_outputs, size, stride, padding
        self.arithmetic = dtype or tf.keras.mixed_precision.global_policy().compute_dtype

    def build(self, input_shape):
        shape = [*([] if self.size is None else [self.size, self.size]), input_shape[-1]]
        self._add_kernel([*shape, self.num_outputs], math.prod(shape))
        self.bias = self.add_weight(name="bias", shape=[self.num_outputs], initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        return self._applied(self._kernel(), inputs)

    def _applied(self, kernel, inputs):
        inputs, kernel, bias = (tf.cast(x, self.arithmetic) for x in (inputs, kernel, self.bias))
        if self.size is None:
            return tf.matmul(inputs, kernel) + bias
        return self._convolved(inputs, kernel) + bias

    def _convolved(self, inputs, kernel):
        return tf.nn.conv2d(inputs, kernel, self.stride, self.padding.upper())

    def _add_kernel(self, shape, fan_in):
        """Creates the weights from which `_kernel` computes a kernel of this shape; fan_in: inputs of one output."""
        raise NotImplementedError

    def _kernel(self):
        raise NotImplementedError


class WeightNormalized(_ExactLinear):
    """A linear layer whose kernel is w = g v / |v|: a length g and a direction v for each output.

    Salimans and Kingma 2016 (arXiv 1602.07868), eq. 2. Without `size`, a dense layer; with it, a convolution with the
    arguments of Keras's. `length`: initial g. The default preserves the scale of inputs that pass a ReLU. It replaces
    the paper's initialization from data (sec. 3), so that weights are a function of the seed alone. `learned_length`:
    whether g is trained. The kernel is computed in float32, like all norms.
    """

    def __init__(self, num_outputs, size=None, stride=1, padding="valid", length=2.0 ** 0.5, learned_length=True,
                 name=None, dtype=None):
        super().__init__(num_outputs, size, stride, padding, name, dtype)
        self.first_length, self.learned_length = length, learned_length

    def _add_kernel(self, shape, fan_in):
        # The length of a direction decides how fast it turns in training; these values are the authors'.
        deviation = 0.1 if self.size is None else 0.05
        self.direction = self.add_weight(name="direction", shape=shape,
                                         initializer=tf.keras.initializers.RandomNormal(stddev=deviation))
        self.length = self.add_weight(name="length", shape=shape[-1:], trainable=self.learned_length,
                                      initializer=tf.keras.initializers.Constant(self.first_length))

    def _kernel(self):
        direction = tf.convert_to_tensor(self.direction)
        squares = tf.reduce_sum(tf.square(direction), axis=range(len(direction.shape) - 1))
        return direction * (self.length * tf.math.rsqrt(squares + 1e-12))


class SpectralNormalized(_ExactLinear):
    """A linear layer whose kernel is divided by its spectral norm: it lengthens no change of its inputs.

    Miyato et al. 2018 (arXiv 1802.05957), sec. 2.1: W / (u^T W v), and u and v come from one power iteration for each
    call in training. Of a convolution, W is the kernel as a matrix of [height * width * channels, num_outputs]. Without
    `size`, a dense layer; with it, a convolution with the arguments of Keras's.
    """

    def __init__(self, num_outputs, size=None, stride=1, padding="valid", name=None, dtype=None):
        super().__init__(num_outputs, size, stride, padding, name, dtype)

    def _add_kernel(self, shape, fan_in):
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_uniform")
        self.u = add_singular_vector(self, shape[-1])

    def call(self, inputs, training=False):
        return self._applied(self._kernel(training), inputs)

    def _kernel(self, training=False):
        kernel = tf.convert_to_tensor(self.kernel)
        matrix = tf.reshape(kernel, [-1, self.num_outputs])
        return tf.reshape(spectrally_normalized(matrix, self.u, training), kernel.shape)


def add_singular_vector(layer, num):
    """The variable u [1, num] of `layer` for `spectrally_normalized`, random at first."""
    return layer.add_weight(name="u", shape=[1, num], trainable=False, aggregation=_ONLY_FIRST_REPLICA,
                            initializer=tf.keras.initializers.RandomNormal(stddev=1.0))


def spectrally_normalized(matrix, variable, training):
    """W / (u^T W v) for a matrix W, float32 [n, num]; in training, `variable` becomes the next u.

    All replicas compute the same u: they have the same weights, and images have no part in it.
    """
    with tf.name_scope("spectral_norm"):
        fixed, u = tf.stop_gradient(matrix), tf.convert_to_tensor(variable)
        v = tf.math.l2_normalize(tf.matmul(u, fixed, transpose_b=True), epsilon=1e-12)
        if training:
            u = tf.math.l2_normalize(tf.matmul(v, fixed), epsilon=1e-12)
            variable.assign(u)
        else:
            u = tf.math.l2_normalize(u, epsilon=1e-12)
        return matrix / tf.matmul(tf.matmul(v, matrix), u, transpose_b=True)


class Equalized(_ExactLinear):
    """A linear layer with an equalized learning rate (Karras et al. 2017, arXiv 1710.10196, sec. 4.1).

    Without `size`, a dense layer; with it, a convolution with `same` padding. Weights are drawn from N(0, 1) and
    multiplied by gain / sqrt(fan_in) at every use, not once at the start. So an optimizer that divides by the size of
    gradients, such as Adam, changes all layers at the same relative rate. `gain`: sqrt(2) before a ReLU, 1 at an output
    (He et al. 2015). fan_in: inputs of one output.
    """

    def __init__(self, num_outputs, size=None, gain=2.0 ** 0.5, name=None, dtype=None):
        super().__init__(num_outputs, size, 1, "same", name, dtype)
        self.gain = gain

    def _add_kernel(self, shape, fan_in):
        self.kernel = self.add_weight(name="kernel", shape=shape,
                                      initializer=tf.keras.initializers.RandomNormal(stddev=1.0))
        self.scale = self.gain / fan_in ** 0.5

    def _kernel(self):
        return self.scale * tf.convert_to_tensor(self.kernel)


class PixelNormalization(tf.keras.layers.Layer):
    """x / sqrt(mean over channels of x^2 + 1e-8), at each pixel (Karras et al. 2017, sec. 4.2).

    [..., channels] in and out. Latents [batch, latent_size] become vectors of length sqrt(latent_size). Has no weights;
    computes in float32 and returns the inputs' type.
    """

    def __init__(self, name=None):
        super().__init__(name=name, dtype="float32", autocast=False)  # autocast would round inputs first

    def call(self, inputs):
        values = tf.cast(inputs, tf.float32)
        scale = tf.math.rsqrt(tf.reduce_mean(tf.square(values), axis=-1, keepdims=True) + 1e-8)
        return tf.cast(values * scale, inputs.dtype)


class MinibatchStdDev(tf.keras.layers.Layer):
    """Appends one channel that tells how much the images of a batch differ (Karras et al. 2017, sec. 3).

    [batch, height, width, channels] -> [batch, height, width, channels + 1]. The batch is split into groups of
    `group_size` consecutive images, or of the largest smaller number that divides the batch. For each group, in
    float32: the standard deviation, sqrt(var + 1e-8), of each channel of each pixel over the group, then the mean over
    channels and pixels. This one number fills the new channel of all images of the group. Since groups are consecutive,
    the number of replicas changes nothing as long as no group is split between replicas.
    """

    def __init__(self, group_size=4, name=None):
        super().__init__(name=name, dtype="float32", autocast=False)
        self.group_size = group_size

    def call(self, inputs):
        batch = tf.shape(inputs)[0]
        sizes = tf.range(1, self.group_size + 1)
        group = tf.reduce_max(tf.where(batch % sizes == 0, sizes, 1))
        values = tf.reshape(tf.cast(inputs, tf.float32), tf.concat([[-1, group], tf.shape(inputs)[1:]], axis=0))
        variance = tf.math.reduce_variance(values, axis=1)
        spread = tf.reduce_mean(tf.sqrt(variance + 1e-8), axis=[1, 2, 3])  # sqrt has no finite gradient at 0
        channel = tf.repeat(spread, group)[:, None, None, None] * tf.ones_like(inputs[..., :1], tf.float32)
        return tf.concat([inputs, tf.cast(channel, inputs.dtype)], axis=-1)


class ReflectionPadding2D(tf.keras.layers.Layer):
    """[batch, height, width, channels] -> [batch, height + 2 * size, width + 2 * size, channels], mirrored at edges."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, inputs):
        edge = [self.size, self.size]
        return tf.pad(inputs, [[0, 0], edge, edge, [0, 0]], mode="REFLECT")
