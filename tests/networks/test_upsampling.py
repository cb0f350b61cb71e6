"""Upsampling and a convolution in one is what the two are one after the other."""
import numpy as np
import pytest
import tensorflow as tf

from tf2gan.networks.upsampling import UpsamplingConv2D

SHAPES = ((2, 16, 16, 5), (1, 20, 14, 3), (2, 2, 3, 4))  # the last has too few pixels to gain anything


def both(size, shape, **options):
    """(the layer, a function that does the same with Keras's two, inputs), of the same random weights."""
    tf.keras.utils.set_random_seed(size + shape[1])
    inputs = tf.random.normal(shape)
    layer = UpsamplingConv2D(6, size, bias_initializer="random_normal", **options)
    layer(inputs)
    upsample = tf.keras.layers.UpSampling2D(2)
    convolution = tf.keras.layers.Conv2D(6, size, padding="same", **options)
    convolution(upsample(inputs))
    convolution.set_weights(layer.get_weights())
    return layer, lambda images: convolution(upsample(images)), inputs


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", (3, 4))
def test_equals_upsampling_and_then_a_convolution(size, shape):
    layer, expected, inputs = both(size, shape, activation="relu")
    np.testing.assert_allclose(layer(inputs), expected(inputs), atol=1e-5)
    assert [tuple(w.shape) for w in layer.trainable_variables] == [(size, size, shape[-1], 6), (6,)]


@pytest.mark.parametrize("size", (3, 4))
def test_gradients_are_those_of_the_two(size):
    layer, expected, inputs = both(size, SHAPES[0])
    weights = tf.random.normal([2, 32, 32, 6])
    found = []
    for function in (layer, expected):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(weights * function(inputs))
        found.append(tape.gradient(loss, inputs))
    np.testing.assert_allclose(*found, atol=2e-5)
    kernel = layer.trainable_variables[0]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weights * layer(inputs))
    step = 1e-2 * np.random.default_rng(0).normal(size=kernel.shape).astype(np.float32)
    predicted = float(tf.reduce_sum(tape.gradient(loss, kernel) * step))
    kernel.assign_add(step)  # the loss is linear in the kernel
    np.testing.assert_allclose(tf.reduce_sum(weights * layer(inputs)) - loss, predicted, rtol=1e-3)


@pytest.mark.parametrize("size", (3, 4))
def test_sizes_that_are_not_known_beforehand(size):
    layer, expected, inputs = both(size, SHAPES[1])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def call(images):
        return layer(images)

    for images in (inputs, inputs[:, :1, :3], tf.concat([inputs] * 3, axis=0)):
        np.testing.assert_allclose(call(images), expected(images), atol=1e-5)
    assert call.get_concrete_function().output_shapes.as_list() == [None, None, None, 6]
    assert layer.compute_output_shape((None, 20, 14, 3)) == (None, 40, 28, 6)


@pytest.mark.parametrize("size, multiplications", ((3, 16), (4, 36)))
def test_fewer_multiplications(size, multiplications):
    layer, _, inputs = both(size, SHAPES[0])
    graph = tf.function(layer).get_concrete_function(inputs).graph
    (operation,) = [op for op in graph.get_operations() if op.type.startswith("Conv2D")]
    kernel = operation.inputs[1].shape.as_list()
    if operation.type == "Conv2D":  # of the small map, an output for each of the four new pixels
        kernel[-1] //= 4
        times = 4
    else:  # transposed: each pixel of the small map meets the whole kernel
        times = 1
    assert times * kernel[0] * kernel[1] == multiplications < 4 * size * size
    assert sorted(kernel[2:]) == [5, 6]


def test_other_sizes():
    with pytest.raises(ValueError, match="size 5: must be 3 or 4"):
        UpsamplingConv2D(6, 5)
