"""Layers against closed forms in numpy."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan import layers, training
from tf2gan.seeds import fold


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
    strategy = training.make_strategy(training.Options(replicas=replicas))
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
    strategy = training.make_strategy(training.Options(replicas=replicas))
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
    "dense": (lambda: layers.WeightNormalizedDense(4), lambda: tf.keras.layers.Dense(4), noise(6, 5)),
    "valid": (lambda: layers.WeightNormalizedConv2D(4, 3), lambda: tf.keras.layers.Conv2D(4, 3), noise(2, 7, 6, 3)),
    "same": (lambda: layers.WeightNormalizedConv2D(4, 3, 2, padding="same"),
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


@WEIGHT_NORMALIZED
def test_weight_normalization_is_float32_under_mixed_precision(name):
    exact, _, _, inputs = weight_normalized(name, 1.0)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        layer = NORMALIZED[name][0]()
        half = layer(tf.cast(inputs, tf.bfloat16))
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    assert half.dtype == tf.float32
    layer.set_weights(exact.get_weights())
    np.testing.assert_allclose(layer(inputs), exact(inputs), atol=1e-6)


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
