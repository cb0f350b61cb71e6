"""Random seeds as pure functions of a seed and a purpose, so that a resumed run draws the same random numbers."""
import math
import zlib

import tensorflow as tf

ALGORITHM = "philox"  # what TensorFlow chooses, unless XLA compiles


def fold(seed, *purpose):
    """Derives a new seed from `seed` and each of `purpose`, in order.

    Args:
        seed: int, or int64 tensor of shape [2] (what this function returns).
        *purpose: names (str), ints or int scalars: `fold(seed, "crop", position)`.

    Returns:
        int64 tensor [2] for the `tf.random.stateless_*` functions. Only both elements together are random: the second
        is the last purpose, unchanged.
    """
    if isinstance(seed, int):
        seed = tf.constant([seed, 0], tf.int64)
    for item in purpose:
        if isinstance(item, str):
            item = zlib.crc32(item.encode()) & 0x7FFFFFFF  # hash() differs between processes
        seed = tf.random.fold_in(seed, tf.cast(item, tf.int64), alg=ALGORITHM)
    return seed


def uniform(shape, seed):
    """`tf.random.stateless_uniform` from U(0, 1), float32, also where XLA compiles it: it makes others of these bits."""
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg=ALGORITHM)
    return tf.cast(bits & 0x7FFFFF, tf.float32) * 2.0 ** -23


def normal(shape, seed):
    """`tf.random.stateless_normal` but for rounding, float32, also where XLA compiles it; Box and Muller 1958."""
    shape = tf.convert_to_tensor(shape)
    num = tf.reduce_prod(shape)
    first, second = tf.unstack(uniform([(num + 1) // 2, 2], seed), axis=1)
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(first, 1e-7)))
    angle = 2.0 * math.pi * second
    return tf.reshape(tf.reshape(tf.stack([tf.sin(angle) * radius, tf.cos(angle) * radius], axis=1), [-1])[:num], shape)


def sequence(num, size, seed, purpose):
    """The first `num` of an endless sequence of vectors from U(0, 1), float64 [num, size], for an int scalar `seed`."""
    seed = tf.stack([tf.cast(seed, tf.int64), tf.zeros([], tf.int64)])
    return tf.random.stateless_uniform([num, size], fold(seed, purpose), dtype=tf.float64)
