"""Counted operations against closed forms."""
import pytest
import tensorflow as tf

from benchmarks import flops

# Batch 3, 10x8 pixels, 5 channels to 7, a kernel of 3x4, strides of 2: 5x4 pixels come out.
FORWARD = 2 * 3 * 4 * 5 * 7 * 5 * 4 * 3


def count(function, *shapes, dtype=tf.float32):
    return flops.count(tf.function(function).get_concrete_function(*[tf.TensorSpec(s, dtype) for s in shapes]).graph)


def convolved(images, kernel, stride=2):
    return tf.nn.conv2d(images, kernel, stride, "SAME")


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_a_convolution_takes_a_window_for_each_number_that_comes_out(dtype):
    assert count(convolved, [3, 10, 8, 5], [3, 4, 5, 7], dtype=dtype) == FORWARD


def test_each_of_its_two_gradients_takes_as_many_as_itself():
    def both(images, kernel):
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            result = convolved(images, kernel)
        return tape.gradient(result, [images, kernel])

    # The result itself is in the graph, too.
    assert count(both, [3, 10, 8, 5], [3, 4, 5, 7]) == 3 * FORWARD


def test_zeros_between_the_inputs_of_a_transposed_convolution_are_not_counted():
    def transposed(images, kernel):
        return tf.nn.conv2d_transpose(images, kernel, [3, 10, 8, 5], 2)

    assert count(transposed, [3, 5, 4, 7], [3, 4, 5, 7]) == FORWARD


def test_groups_and_depthwise_convolutions_take_what_their_kernels_have():
    assert count(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), [2, 6, 6, 8], [3, 3, 4, 10]) == 2 * 9 * 4 * 10 * 36 * 2
    assert count(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1] * 4, "SAME"),
                 [2, 6, 6, 8], [3, 3, 8, 2]) == 2 * 9 * 8 * 2 * 36 * 2


@pytest.mark.parametrize("a, b, options", [
    ([6, 5], [5, 7], {}), ([5, 6], [5, 7], {"transpose_a": True}), ([6, 5], [7, 5], {"transpose_b": True}),
    ([5, 6], [7, 5], {"transpose_a": True, "transpose_b": True})])
@pytest.mark.parametrize("batch", [[], [4]])
def test_a_matrix_product_takes_its_inner_length_for_each_number(a, b, options, batch):
    assert count(lambda x, y: tf.matmul(x, y, **options), batch + a, batch + b) == (batch or [1])[0] * 2 * 6 * 5 * 7


def test_called_functions_count_at_each_call_and_of_branches_the_larger_one():
    @tf.function
    def square(x):
        return tf.matmul(x, x)

    def twice(x):
        return square(square(x))

    def chosen(x):
        return tf.cond(x[0, 0] > 0.0, lambda: twice(x), lambda: tf.matmul(x, x))

    def looped(x):
        return tf.while_loop(lambda x: x[0, 0] < 1.0, lambda x: [square(x)], [x])

    assert count(twice, [4, 4]) == 2 * 2 * 64
    assert count(chosen, [4, 4]) == 2 * 2 * 64
    assert count(looped, [4, 4]) == 2 * 64


def test_what_is_neither_counts_nothing():
    assert count(lambda x: tf.tanh(x) + tf.reduce_sum(x), [10, 10]) == 0


def test_a_shape_that_is_not_known_is_told():
    with pytest.raises(ValueError, match="Conv2D.*is not known"):
        count(convolved, [None, 10, 8, 5], [3, 4, 5, 7])
