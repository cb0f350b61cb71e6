"""Dice: the same for the same purpose, unrelated for any other."""
import zlib

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.seeds import fold


def key(*args):
    return tuple(fold(*args).numpy().tolist())


def test_is_what_stateless_functions_take():
    seed = fold(3, "crop", 5)
    assert seed.dtype == tf.int64 and seed.shape == [2]
    assert tf.random.stateless_uniform([4], seed).shape == [4]


def test_same_arguments_same_seed():
    assert key(3, "crop", 5) == key(3, "crop", 5)


def test_differs_by_seed_purpose_and_position():
    keys = [key(seed, purpose, position)
            for seed in (0, 1, 2) for purpose in ("crop", "mirror") for position in range(20)]
    assert len(set(keys)) == len(keys)


def test_order_of_purposes_matters():
    assert key(3, "a", "b") != key(3, "b", "a")
    assert key(3, 1, 2) != key(3, 2, 1)


def test_purposes_one_by_one_are_the_same_as_together():
    assert key(fold(3, "crop"), 5) == key(3, "crop", 5)


def test_int_and_tensor_seeds_agree():
    assert key(3, "crop") == key(tf.constant([3, 0], tf.int64), "crop")


@pytest.mark.parametrize("number", [5, 2 ** 40])
def test_python_numbers_and_tensors_agree_as_purposes(number):
    assert key(3, number) == key(3, tf.constant(number, tf.int64)) == key(3, tf.Variable(number, dtype=tf.int64))


def test_same_in_a_graph():
    in_graph = tf.function(lambda position: fold(3, "crop", position))
    assert tuple(in_graph(tf.constant(5)).numpy().tolist()) == key(3, "crop", 5)


def test_big_seeds_keep_all_their_bits():
    big = 2 ** 40
    assert len({key(seed, "crop") for seed in (0, 1, big, big + 1, 2 ** 41)}) == 5
    assert len({key(0, "crop", position) for position in (0, 1, big, big + 1, 2 ** 41)}) == 5


def test_numbers_of_neighbouring_positions_are_unrelated():
    @tf.function
    def draws(purpose):
        return tf.map_fn(lambda i: tf.random.stateless_uniform([], fold(0, purpose, i)), tf.range(300),
                         fn_output_signature=tf.float32)

    crop, mirror = draws("crop").numpy(), draws("mirror").numpy()
    # A correlation of independent draws is about N(0, 1/300): five deviations.
    for a, b in ((crop[1:], crop[:-1]), (crop, mirror)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(300)
    assert abs(crop.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 300)


def test_names_do_not_depend_on_the_process():
    """hash(), which Python salts anew in every process, would."""
    assert key(3, "crop") == key(3, zlib.crc32(b"crop") & 0x7FFFFFFF)
