"""Layers against closed forms in numpy."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.networks import layers
from tf2gan.training.devices import make_strategy
from tf2gan.training.options import Options


def normalized(images, epsilon=1e-5):
    """Instance normalization by its definition, in float64."""
    images = np.asarray(images, np.float64)
    centered = images - images.mean(axis=(1, 2), keepdims=True)
    return centered / np.sqrt((centered ** 2).mean(axis=(1, 2), keepdims=True) + epsilon)


def noise(*shape, scale=1.0):
    return (scale * np.random.default_rng(0).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize("scale", [3.0, 3e-3])
def test_instance_normalization(scale):
    images = noise(2, 5, 7, 3, scale=scale)
    np.testing.assert_allclose(layers.instance_normalization()(images), normalized(images), atol=1e-4)


def test_the_small_input_tells_epsilons_apart():
    """Else the test above would pass with the default of Keras and addons."""
    images = noise(2, 5, 7, 3, scale=3e-3)
    assert np.abs(normalized(images) - normalized(images, 1e-3)).max() > 1


def test_instance_normalization_scales_and_shifts_each_channel():
    images = noise(2, 5, 7, 3)
    layer = layers.instance_normalization()
    layer(images)
    gamma, beta = np.array([1.0, -2.0, 0.5]), np.array([0.0, 3.0, -1.0])
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(images), normalized(images) * gamma + beta, atol=1e-4)


def test_instance_normalization_of_an_image_does_not_depend_on_the_others():
    images = noise(3, 5, 7, 2) * np.array([1, 10, 100]).reshape([3, 1, 1, 1]).astype(np.float32)
    layer = layers.instance_normalization()
    np.testing.assert_allclose(layer(images)[1:2], layer(images[1:2]), atol=1e-5)


def test_instance_normalization_is_float32_under_mixed_precision():
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        layer = layers.instance_normalization()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    images = noise(2, 5, 7, 3)
    assert layer(images).dtype == tf.float32
    np.testing.assert_allclose(layer(images), normalized(images), atol=1e-4)


@pytest.mark.skipif(layers._InstanceNormalization is None, reason="tensorflow-addons is not there")
def test_both_stacks_agree():
    images = noise(2, 5, 7, 3, scale=0.01)
    keras_layer = tf.keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
    np.testing.assert_allclose(layers.instance_normalization()(images), keras_layer(images), atol=1e-4)


# Statistics of a whole batch.

IMAGES = noise(4, 5, 7, 3) * np.array([1, 2, 3, 4]).reshape([4, 1, 1, 1]).astype(np.float32) + 1  # no two shares alike


def on_replicas(replicas, function):
    """What `function(images)` returns for each replica's share of IMAGES, as one batch, and the replicas' strategy."""
    strategy = make_strategy(Options(replicas=replicas))
    num = len(IMAGES) // replicas
    with strategy.scope():
        called = function()

    @tf.function
    def run():
        def step():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return called(tf.ensure_shape(tf.constant(IMAGES)[replica * num:][:num], [num, *IMAGES.shape[1:]]))

        return strategy.run(step)

    return np.concatenate([np.asarray(part) for part in strategy.experimental_local_results(run())])


@pytest.mark.parametrize("replicas", [1, 2])
def test_batch_normalization_is_by_the_whole_batch(replicas):
    """In the output and in the moving statistics, which take the biased variance however many replicas there are."""
    made = []

    def make():
        made.append(layers.batch_normalization(momentum=0.75))
        made[0].build([None, *IMAGES.shape[1:]])
        return lambda images: made[0](images, training=True)

    outputs = on_replicas(replicas, make)
    mean, variance = IMAGES.astype(np.float64).mean(axis=(0, 1, 2)), IMAGES.astype(np.float64).var(axis=(0, 1, 2))
    np.testing.assert_allclose(outputs, (IMAGES - mean) / np.sqrt(variance + 1e-3), atol=1e-5)
    np.testing.assert_allclose(made[0].moving_mean.numpy(), 0.25 * mean, rtol=1e-5)
    np.testing.assert_allclose(made[0].moving_variance.numpy(), 0.75 + 0.25 * variance, rtol=1e-5)


def test_gradients_through_batch_normalization_are_those_of_the_whole_batch():
    def make():
        layer = layers.batch_normalization()
        layer.build([None, *IMAGES.shape[1:]])

        def gradient(images):
            with tf.GradientTape() as tape:
                tape.watch(images)
                total = tf.reduce_sum(layer(images, training=True) ** 3)
            return tape.gradient(total, images)

        return gradient

    one, two = on_replicas(1, make), on_replicas(2, make)
    np.testing.assert_allclose(two, one, atol=1e-4)
    assert np.abs(one).max() > 1


def test_batch_normalization_in_use_has_the_moving_statistics():
    layer = layers.batch_normalization()
    layer(IMAGES)
    layer.set_weights([np.full(3, 2.0), np.full(3, 5.0), np.array([1.0, 2, 3]), np.array([4.0, 9, 16])])
    expected = 5 + 2 * (IMAGES - np.array([1, 2, 3])) / np.sqrt(np.array([4, 9, 16]) + 1e-3)
    np.testing.assert_allclose(layer(IMAGES, training=False), expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 3e-3])
def test_layer_normalization(scale):
    """Over all of an image together, unlike instance normalization; a scale and an offset for each channel."""
    images = (scale * IMAGES).astype(np.float32)
    exact = images.astype(np.float64)
    centered = exact - exact.mean(axis=(1, 2, 3), keepdims=True)
    expected = centered / np.sqrt((centered ** 2).mean(axis=(1, 2, 3), keepdims=True) + 1e-5)
    layer = layers.layer_normalization()
    np.testing.assert_allclose(layer(images), expected, atol=1e-4)
    assert np.abs(expected - normalized(images)).max() > 0.05
    gamma, beta = np.array([1.0, -2.0, 0.5]), np.array([0.0, 3.0, -1.0])
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(images), expected * gamma + beta, atol=2e-4)


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("limit", [0.01, 0.5])
def test_clip_weights(replicas, limit):
    strategy = make_strategy(Options(replicas=replicas))
    before = noise(6, 5)
    with strategy.scope():
        layer = tf.keras.layers.Dense(5)
        layer.build([None, 6])
        layer.set_weights([before, np.array([-9, -limit, 0, limit / 2, 9], np.float32)])
        other = tf.Variable(before)

    @tf.function
    def run():
        strategy.run(lambda: layers.clip_weights([*layer.trainable_variables, other], limit))

    run()
    kernel, bias = layer.trainable_variables
    np.testing.assert_array_equal(layer.get_weights()[0], np.clip(before, -np.float32(limit), np.float32(limit)))
    np.testing.assert_array_equal(bias.numpy(), np.array([-limit, -limit, 0, limit / 2, limit], np.float32))
    kernel = kernel if isinstance(kernel, tf.Variable) else kernel.value
    for variable in (kernel, other):
        for copy in strategy.experimental_local_results(variable):
            np.testing.assert_array_equal(copy.numpy(), layer.get_weights()[0])


def test_dropout_is_a_function_of_its_seed():
    layer, ones = layers.Dropout(0.3), tf.ones([50, 40])
    first = layer(ones, training=True, seed=fold(0, "a")).numpy()
    np.testing.assert_array_equal(first, layer(ones, training=True, seed=fold(0, "a")))
    assert (first != layer(ones, training=True, seed=fold(0, "b")).numpy()).mean() > 0.3  # 2 * 0.3 * 0.7 = 0.42


def test_dropout_keeps_the_expected_value():
    dropped = layers.Dropout(0.3)(tf.ones([200, 200]), training=True, seed=fold(0, "a")).numpy()
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / 0.7], rtol=1e-6)
    assert abs((dropped == 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / dropped.size)


def test_dropout_changes_nothing_outside_of_training():
    inputs = noise(4, 5)
    np.testing.assert_array_equal(layers.Dropout(0.3)(inputs), inputs)
    np.testing.assert_array_equal(layers.Dropout(0.3)(inputs, training=False, seed=fold(0, "a")), inputs)
    np.testing.assert_array_equal(layers.Dropout(0.0)(inputs, training=True), inputs)


def test_dropout_in_training_needs_a_seed():
    with pytest.raises(ValueError, match="needs a seed"):
        layers.Dropout(0.3)(tf.ones([4, 5]), training=True)


def test_gaussian_noise_is_a_function_of_its_seed():
    layer, inputs = layers.GaussianNoise(0.3), noise(50, 40)
    first = layer(inputs, training=True, seed=fold(0, "a")).numpy()
    np.testing.assert_array_equal(first, layer(inputs, training=True, seed=fold(0, "a")))
    assert (first != layer(inputs, training=True, seed=fold(0, "b")).numpy()).mean() > 0.99


def test_gaussian_noise_has_its_deviation():
    inputs = noise(200, 200, scale=3)
    added = layers.GaussianNoise(0.3)(inputs, training=True, seed=fold(0, "a")).numpy() - inputs
    assert abs(added.mean()) < 5 * 0.3 / 200 and abs(added.std() - 0.3) < 5 * 0.3 / (200 * np.sqrt(2))
    assert abs((added ** 4).mean() / 0.3 ** 4 - 3) < 5 * np.sqrt(96) / 200
    half = layers.GaussianNoise(0.3)(tf.cast(inputs, tf.bfloat16), training=True, seed=fold(0, "a"))
    assert abs((tf.cast(half, tf.float32) - inputs).numpy().std() - 0.3) < 0.01


def test_gaussian_noise_in_training_only():
    inputs = noise(4, 5)
    np.testing.assert_array_equal(layers.GaussianNoise(0.3)(inputs), inputs)
    np.testing.assert_array_equal(layers.GaussianNoise(0.3)(inputs, training=False, seed=fold(0, "a")), inputs)
    np.testing.assert_array_equal(layers.GaussianNoise(0.0)(inputs, training=True), inputs)
    with pytest.raises(ValueError, match="needs a seed"):
        layers.GaussianNoise(0.3)(inputs, training=True)


# Weight normalization: {name: (layer of 4 outputs, Keras's, inputs)}.
NORMALIZED = {
    "dense": (lambda: layers.WeightNormalized(4), lambda: tf.keras.layers.Dense(4), noise(6, 5)),
    "valid": (lambda: layers.WeightNormalized(4, 3), lambda: tf.keras.layers.Conv2D(4, 3), noise(2, 7, 6, 3)),
    "same": (lambda: layers.WeightNormalized(4, 3, 2, padding="same"),
             lambda: tf.keras.layers.Conv2D(4, 3, 2, padding="same"), noise(2, 7, 6, 3))}
WEIGHT_NORMALIZED = pytest.mark.parametrize("name", NORMALIZED)
LENGTH, BIAS = np.float32([0.5, -2.0, 3.0, 1.0]), np.float32([1.0, 0.0, -1.0, 2.0])


def weight_normalized(name, scale):
    """(layer, Keras's layer of the same kernel by its definition, direction in float64, inputs)."""
    make, make_plain, inputs = NORMALIZED[name]
    layer, plain = make(), make_plain()
    layer(inputs), plain(inputs)
    direction = scale * noise(*layer.direction.shape)
    layer.direction.assign(direction), layer.length.assign(LENGTH), layer.bias.assign(BIAS)
    exact = direction.astype(np.float64)
    plain.set_weights([LENGTH * exact / np.sqrt((exact.reshape([-1, 4]) ** 2).sum(axis=0)), BIAS])
    return layer, plain, exact, inputs


@WEIGHT_NORMALIZED
@pytest.mark.parametrize("scale", [1.0, 1e-2, 1e3])
def test_weight_normalization(name, scale):
    """w = g v / |v| in the output and, by the chain rule in numpy, in the gradients (Salimans and Kingma, eq. 3)."""
    layer, plain, direction, inputs = weight_normalized(name, scale)
    np.testing.assert_allclose(layer(inputs), plain(inputs), atol=1e-5)
    of_kernel, of_bias = gradients_of(plain, inputs, [plain.kernel, plain.bias])
    of_direction, of_length, same = gradients_of(layer, inputs, [layer.direction, layer.length, layer.bias])
    axes = tuple(range(direction.ndim - 1))
    size = np.sqrt((direction ** 2).sum(axis=axes))
    expected = (of_kernel * direction / size).sum(axis=axes)
    np.testing.assert_allclose(of_length, expected, atol=1e-4)
    np.testing.assert_allclose(same, of_bias, atol=1e-5)
    expected = LENGTH / size * (of_kernel - expected * direction / size)
    np.testing.assert_allclose(scale * of_direction, scale * expected, atol=1e-4)
    # At right angles to the direction, whose scale so only grows (sec. 2.1).
    sizes = np.sqrt((of_direction ** 2).sum(axis=axes)) * size
    assert (np.abs((of_direction * direction).sum(axis=axes)) < 1e-5 * sizes).all() and (sizes > 0.1).all()


def gradients_of(layer, inputs, variables):
    with tf.GradientTape() as tape:
        outputs = layer(inputs)
        total = tf.reduce_sum(outputs * noise(*outputs.shape))
    return [tf.convert_to_tensor(gradient).numpy().astype(np.float64) for gradient in tape.gradient(total, variables)]


@WEIGHT_NORMALIZED
def test_weight_normalized_kernels_begin_with_a_square_of_2(name):
    """Which keeps the size of what is rectified: half of 2 |x|^2 on average."""
    layer = NORMALIZED[name][0]()
    layer(NORMALIZED[name][2])
    kernel = layer._kernel().numpy().reshape([-1, 4])
    np.testing.assert_allclose((kernel ** 2).sum(axis=0), 2, rtol=1e-5)
    assert abs(np.corrcoef(kernel.T)[0, 1]) < 0.99 and not layer.bias.numpy().any()


def test_a_length_of_weights_that_is_not_learned():
    layer = layers.WeightNormalized(4, length=3.0, learned_length=False)
    layer(noise(6, 5))
    np.testing.assert_allclose(np.linalg.norm(layer._kernel(), axis=0), 3, rtol=1e-5)
    assert len(layer.trainable_variables) == 2 and len(layer.variables) == 3


@WEIGHT_NORMALIZED
def test_weight_normalization_under_mixed_precision(name):
    """The kernel is computed in float32, whose square is |g|^2 then, and rounded once."""
    exact, _, _, inputs = weight_normalized(name, 1.0)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        layer = NORMALIZED[name][0]()
        layer(inputs)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    layer.set_weights(exact.get_weights())
    np.testing.assert_allclose(layer._kernel(), exact._kernel(), rtol=1e-6)
    kernel = exact._kernel()
    images, rounded = (tf.cast(tf.cast(each, tf.bfloat16), tf.float32) for each in (inputs, kernel))
    assert np.abs(rounded - kernel).max() > 0
    exact._kernel = lambda: rounded
    assert layer(inputs).dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(layer(inputs), tf.float32), exact(images), rtol=2 ** -7, atol=2 ** -7)


SPECTRAL = {"dense": (lambda: layers.SpectralNormalized(4), noise(6, 5)),
            "convolution": (lambda: layers.SpectralNormalized(4, 3, 2, "same"), noise(2, 8, 8, 5))}


@pytest.mark.parametrize("name", SPECTRAL)
def test_spectral_normalization(name):
    """After many power iterations the largest singular value of the kernel is 1; only training iterates."""
    layer, inputs = SPECTRAL[name][0](), SPECTRAL[name][1]
    layer(inputs)
    first = layer.u.numpy()
    layer(inputs)
    np.testing.assert_array_equal(layer.u, first)
    layer(inputs, training=True)
    u = first @ layer.kernel.numpy().reshape([-1, 4]).T @ layer.kernel.numpy().reshape([-1, 4])
    np.testing.assert_allclose(layer.u, u / np.linalg.norm(u), atol=1e-5)
    for _ in range(200):
        layer(inputs, training=True)
    kernel = layer.kernel.numpy()
    largest = np.linalg.svd(kernel.reshape([-1, 4]), compute_uv=False)[0]
    np.testing.assert_allclose(layer._kernel(), kernel / largest, rtol=1e-4, atol=1e-6)
    assert len(layer.trainable_variables) == 2 and len(layer.variables) == 3


def test_the_gradient_of_spectral_normalization():
    """Of W / |W|, by finite differences: at their limit, that u and v depend on W changes the norm by nothing."""
    layer, inputs = SPECTRAL["dense"][0](), SPECTRAL["dense"][1]
    layer(inputs)
    for _ in range(200):
        layer(inputs, training=True)
    gradient, = gradients_of(layer, inputs, [layer.kernel])
    kernel, weights = layer.kernel.numpy().astype(np.float64), noise(6, 4)
    numbers = np.zeros_like(kernel)
    for index in np.ndindex(*kernel.shape):
        totals = []
        for step in (1e-5, -1e-5):
            moved = kernel.copy()
            moved[index] += step
            totals.append((inputs @ (moved / np.linalg.svd(moved, compute_uv=False)[0]) * weights).sum())
        numbers[index] = (totals[0] - totals[1]) / 2e-5
    np.testing.assert_allclose(gradient, numbers, rtol=1e-3, atol=1e-4)


def test_conditional_batch_normalization():
    layer, images, labels = layers.ConditionalBatchNormalization(3), noise(4, 5, 6, 2), np.array([2, 0, 2, 1])
    plain = layers.batch_normalization()
    np.testing.assert_allclose(layer(images, labels, training=True), plain(images, training=True), atol=1e-6)
    scales, offsets = noise(3, 2), noise(3, 2) + 1
    layer.scales.assign(scales)
    layer.offsets.assign(offsets)
    expected = plain(images) * scales[labels][:, None, None] + offsets[labels][:, None, None]
    np.testing.assert_allclose(layer(images, labels), expected, atol=1e-5)
    assert len(layer.trainable_variables) == 2 and len(layer.variables) == 4


def test_shifted():
    """Against a part of numpy's padding for each image."""
    images, most = noise(4, 5, 7, 2), 2
    offsets = np.array([[0, 4, 2, 1], [3, 0, 2, 4]], np.int32)
    padded = np.pad(images, [(0, 0), (most, most), (most, most), (0, 0)], mode="symmetric")
    expected = [image[row:row + 5, column:column + 7] for image, row, column in zip(padded, *offsets)]
    np.testing.assert_array_equal(layers.shifted(tf.constant(images), most, offsets), expected)
    np.testing.assert_array_equal(expected[2], images[2])


@pytest.mark.parametrize("size", [1, 3])
def test_reflection_padding(size):
    images = noise(2, 5, 7, 3)
    expected = np.pad(images, [(0, 0), (size, size), (size, size), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(layers.ReflectionPadding2D(size)(images), expected)


# Equalized learning rates: {name: (layer of 4 outputs, inputs, fan_in)}.
EQUALIZED = {"dense": (lambda **kw: layers.Equalized(4, **kw), noise(6, 5), 5),
             "conv_1": (lambda **kw: layers.Equalized(4, 1, **kw), noise(2, 7, 6, 3), 3),
             "conv_3": (lambda **kw: layers.Equalized(4, 3, **kw), noise(2, 7, 6, 3), 3 * 3 * 3)}


def linear(inputs, kernel):
    """Convolution with zeros around, or a product of matrices, by the definition and in float64."""
    inputs, kernel = np.asarray(inputs, np.float64), np.asarray(kernel, np.float64)
    if kernel.ndim == 2:
        return inputs @ kernel
    size, (height, width) = len(kernel), inputs.shape[1:3]
    padded = np.pad(inputs, [(0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0)])
    return sum(padded[:, row:row + height, column:column + width] @ kernel[row, column]
               for row in range(size) for column in range(size))


@pytest.mark.parametrize("name", EQUALIZED)
@pytest.mark.parametrize("options, gain", [({}, np.sqrt(2)), ({"gain": 1.0}, 1), ({"gain": 0.25}, 0.25)])
def test_equalized_layers_scale_their_weights_in_use(name, options, gain):
    """w gain / sqrt(fan_in) in the output, the bias as it is, and the same factor in the gradient."""
    make, inputs, fan_in = EQUALIZED[name]
    layer, scale = make(**options), gain / np.sqrt(fan_in)
    layer(inputs)
    kernel = 2 * noise(*layer.kernel.shape) + 1
    layer.kernel.assign(kernel), layer.bias.assign(BIAS)
    np.testing.assert_allclose(layer(inputs), linear(inputs, scale * kernel) + BIAS, rtol=1e-5, atol=1e-5)
    of_kernel, of_bias = gradients_of(layer, inputs, [layer.kernel, layer.bias])
    bump = np.zeros_like(kernel)
    bump[..., 1, 2] = 1
    outputs = noise(*layer(inputs).shape).astype(np.float64)
    expected = (linear(inputs, bump) * outputs).sum() * scale
    assert of_kernel[..., 1, 2].sum() == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(of_bias, outputs.reshape([-1, 4]).sum(axis=0), rtol=1e-4)


@pytest.mark.parametrize("layer, shape", [(layers.Equalized(300), [400, 100]),
                                          (layers.Equalized(64, 3), [32, 10, 10, 32]),
                                          (layers.Equalized(100, 1, gain=1.0), [16, 10, 10, 100])])
def test_equalized_weights_begin_as_normal_noise(layer, shape):
    """Of deviation 1 whatever the fan_in, and outputs have the deviation `gain` of inputs from N(0, 1)."""
    inputs = noise(*shape)
    outputs = layer(inputs).numpy()
    kernel = layer.kernel.numpy().astype(np.float64)
    for moment, value, variance in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        assert abs((kernel ** moment).mean() - value) < 5 * np.sqrt(variance / kernel.size), moment
    assert not layer.bias.numpy().any()
    inner = outputs[:, 1:-1, 1:-1] if outputs.ndim == 4 else outputs  # zeros around make less at the edge
    assert inner.var() == pytest.approx(layer.gain ** 2, rel=0.1)


def test_adam_changes_all_equalized_layers_at_the_same_relative_rate():
    """Each weight by the learning rate; plain ones of fan_in 4 and 1152 would differ by a factor of 17."""
    made = [(layers.Equalized(500), noise(8, 4)), (layers.Equalized(4), noise(8, 500)),
            (layers.Equalized(2, 3), noise(2, 5, 5, 128)),
            (layers.Equalized(32, 1, gain=1.0), noise(2, 5, 5, 40))]
    for layer, inputs in made:
        layer.build(inputs.shape)
        kernel = layer.kernel
        before = layer.scale * kernel.numpy()
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            total = 1e3 * tf.reduce_sum(outputs * noise(*outputs.shape))
        optimizer = tf.keras.optimizers.Adam(0.01)
        optimizer.apply_gradients([(tape.gradient(total, kernel), kernel)])
        change = layer.scale * kernel.numpy() - before
        np.testing.assert_allclose(np.sqrt((change ** 2).mean()) / layer.scale, 0.01, rtol=1e-3)
        assert change.std() / before.std() == pytest.approx(0.01, rel=0.1)


# Pixelwise normalization.

def pixel_normalized(images):
    images = np.asarray(images, np.float64)
    return images / np.sqrt((images ** 2).mean(axis=-1, keepdims=True) + 1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e-4])
def test_pixel_normalization(scale):
    images = noise(2, 5, 7, 3, scale=scale)
    outputs = layers.PixelNormalization()(images)
    np.testing.assert_allclose(outputs, pixel_normalized(images), rtol=1e-5)
    if scale >= 1:
        np.testing.assert_allclose((outputs.numpy() ** 2).mean(axis=-1), 1, rtol=1e-5)


def test_pixel_normalization_of_simple_numbers():
    """3, 4 have the mean square 12.5; each pixel is by itself."""
    outputs = layers.PixelNormalization()(tf.constant([[[[3.0, 4.0], [0.0, -2.0]]]]))
    np.testing.assert_allclose(outputs, [[[[3 / np.sqrt(12.5), 4 / np.sqrt(12.5)], [0, -np.sqrt(2)]]]], rtol=1e-6)


def test_pixel_normalization_makes_latents_of_one_length():
    latents = noise(6, 512) * np.float32([[0.01], [0.1], [1], [10], [100], [1000]])
    outputs = layers.PixelNormalization()(latents).numpy()
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=1), np.sqrt(512), rtol=1e-4)
    np.testing.assert_allclose(outputs / outputs[:, :1], latents / latents[:, :1], rtol=1e-4)


def test_pixel_normalization_of_nothing_is_nothing():
    """And its slope there is 1 / sqrt(1e-8)."""
    zeros = tf.zeros([1, 2, 2, 3])
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        outputs = layers.PixelNormalization()(zeros)
        total = tf.reduce_sum(outputs)
    assert not outputs.numpy().any()
    np.testing.assert_allclose(tape.gradient(total, zeros), np.full([1, 2, 2, 3], 1e4), rtol=1e-4)


# How much the images of a batch differ.

def spreads(images, group):
    """The number of each image, in float64, for groups of consecutive ones."""
    groups = np.asarray(images, np.float64).reshape([-1, group, *images.shape[1:]])
    return np.repeat(np.sqrt(groups.var(axis=1) + 1e-8).mean(axis=(1, 2, 3)), group)


def test_minibatch_deviation_of_simple_numbers():
    """0, 2, 4, 6 deviate by sqrt(5), a constant by sqrt(1e-8); the mean of both is added."""
    images = np.zeros([4, 1, 1, 2], np.float32)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = [6, 0, 4, 2], 7
    outputs = layers.MinibatchStdDev()(images)
    assert outputs.shape == [4, 1, 1, 3]
    np.testing.assert_array_equal(outputs[..., :2], images)
    np.testing.assert_allclose(outputs[..., 2], np.full([4, 1, 1], (np.sqrt(5) + 1e-4) / 2), rtol=1e-5)


@pytest.mark.parametrize("batch, group_size, group", [
    (4, 4, 4), (8, 4, 4), (12, 4, 4), (6, 4, 3), (9, 4, 3), (10, 4, 2), (3, 4, 3), (2, 4, 2), (1, 4, 1), (5, 4, 1),
    (7, 4, 1), (8, 3, 2), (6, 6, 6), (10, 6, 5), (5, 1, 1)])
def test_minibatch_deviation_is_of_groups(batch, group_size, group):
    """Of consecutive images, as many as the largest number up to `group_size` that divides the batch."""
    images = noise(batch, 3, 2, 5) * np.linspace(1, 3, batch, dtype=np.float32)[:, None, None, None]
    outputs = layers.MinibatchStdDev(group_size)(images).numpy()
    assert outputs.shape == (batch, 3, 2, 6)
    np.testing.assert_array_equal(outputs[..., :5], images)
    expected = spreads(images, group)[:, None, None] * np.ones([batch, 3, 2])
    np.testing.assert_allclose(outputs[..., 5], expected, rtol=1e-5)
    if group == 1:
        np.testing.assert_allclose(outputs[..., 5], 1e-4, rtol=1e-5)


def test_a_group_does_not_depend_on_another():
    layer, images = layers.MinibatchStdDev(), noise(8, 3, 2, 5)
    np.testing.assert_array_equal(layer(images)[:4], layer(images[:4]))
    np.testing.assert_array_equal(layer(images)[4:], layer(images[4:]))
    np.testing.assert_allclose(layer(images[[2, 0, 3, 1]])[..., 5], layer(images[:4])[..., 5], rtol=1e-6)
    others = images.copy()
    others[5] += 1
    changed = np.abs(layer(others)[..., 5] - layer(images)[..., 5]).max(axis=(1, 2))
    assert not changed[:4].any() and (changed[4:] > 0.01).all()


def test_gradients_of_the_minibatch_deviation():
    """d s / d x = (x - mean) / (n s) of a pixel, over the number of pixels and channels; finite where all are equal."""
    def slopes(images, weights):
        """The gradient, and that of its product with weights, as a penalty on the gradient needs it."""
        images = tf.constant(images)
        with tf.GradientTape() as outer:
            outer.watch(images)
            with tf.GradientTape() as tape:
                tape.watch(images)
                spread = tf.reduce_sum(layers.MinibatchStdDev()(images)[::4, 0, 0, -1])
            first = tape.gradient(spread, images)
            total = tf.reduce_sum(first * weights)
        return first.numpy(), outer.gradient(total, images).numpy()

    images, weights = noise(8, 3, 2, 5), noise(2, 4, 3, 2, 5)
    groups = images.reshape([2, 4, 3, 2, 5]).astype(np.float64)
    deviation = np.sqrt(groups.var(axis=1, keepdims=True) + 1e-8)
    expected = (groups - groups.mean(axis=1, keepdims=True)) / (4 * deviation) / 30
    first, second = slopes(images, weights.reshape(images.shape))
    np.testing.assert_allclose(first, expected.reshape(images.shape), atol=1e-6)
    assert np.isfinite(second).all()
    equal = np.round(8 * images[:1]).repeat(8, axis=0)  # numbers of which the mean is exact
    first, second = slopes(equal, weights.reshape(images.shape))
    np.testing.assert_array_equal(first, 0)
    expected = (weights - weights.mean(axis=1, keepdims=True)) / (4 * 1e-4) / 30
    np.testing.assert_allclose(second, expected.reshape(images.shape), rtol=1e-3, atol=1e-2)


# All of them in half precision, and for batches of a size that is not known when graphs are made.

GROWING = {**{name: (make, inputs) for name, (make, inputs, _) in EQUALIZED.items()},
           "pixel": (layers.PixelNormalization, noise(6, 5, 7, 8)),
           "spread": (layers.MinibatchStdDev, noise(6, 5, 7, 8))}


@pytest.mark.parametrize("name", GROWING)
def test_layers_of_growing_networks_under_mixed_precision(name):
    """Outputs are as near to exact ones of the same inputs as bfloat16 can be; weights stay in float32."""
    make, inputs = GROWING[name]
    inputs = tf.cast(inputs, tf.bfloat16)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        half, full = make(), make(dtype="float32") if name in EQUALIZED else None
        outputs = half(inputs)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert outputs.dtype == tf.bfloat16
    assert all(weights.numpy().dtype == np.float32 for weights in half.weights)
    values = tf.cast(inputs, tf.float32).numpy()
    if name == "pixel":
        expected = pixel_normalized(values)
    elif name == "spread":
        expected = np.concatenate([values, np.broadcast_to(spreads(values, 3)[:, None, None, None], [6, 5, 7, 1])], -1)
    else:
        expected = linear(values, half.scale * half.kernel.numpy())
        assert full(inputs).dtype == tf.float32
    found = tf.cast(outputs, tf.float32).numpy()
    # Half a unit in the last place is 2^-8 of a value or less; products of rounded weights sum up more.
    allowed = {"rtol": 1.01 / 256} if name in ("pixel", "spread") else {"atol": 0.05}
    np.testing.assert_allclose(found, expected, **allowed)


def test_minibatch_deviation_is_float32_under_mixed_precision():
    """The mean of 128 to 131 is 129.5, which bfloat16 has not: by that of 130 the variance would be 1.5."""
    images = tf.reshape(tf.constant([128.0, 129.0, 130.0, 131.0], tf.bfloat16), [4, 1, 1, 1])
    outputs = layers.MinibatchStdDev()(images)
    np.testing.assert_allclose(tf.cast(outputs[..., 1], tf.float32), np.full([4, 1, 1], np.sqrt(1.25)), rtol=1 / 256)


@pytest.mark.parametrize("name", GROWING)
def test_layers_of_growing_networks_take_batches_of_any_size(name):
    make, inputs = GROWING[name]
    layer = make()
    layer(inputs)
    shapes = []

    @tf.function(input_signature=[tf.TensorSpec([None, *inputs.shape[1:]], tf.float32)])
    def run(images):
        outputs = layer(images)
        shapes.append(outputs.shape[1:])
        return outputs

    for num in (1, 2, len(inputs)):
        np.testing.assert_allclose(run(inputs[:num]), layer(inputs[:num]), rtol=1e-5, atol=1e-6)
    assert shapes == [layer(inputs).shape[1:]]
