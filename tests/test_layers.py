"""Layers against closed forms in numpy."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan import layers
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


@pytest.mark.parametrize("size", [1, 3])
def test_reflection_padding(size):
    images = noise(2, 5, 7, 3)
    expected = np.pad(images, [(0, 0), (size, size), (size, size), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(layers.ReflectionPadding2D(size)(images), expected)
