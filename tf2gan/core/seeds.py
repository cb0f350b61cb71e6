"""Random seeds as pure functions of a seed and a purpose, so that a resumed run draws the same random numbers."""
import zlib

import tensorflow as tf


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
        seed = tf.random.fold_in(seed, tf.cast(item, tf.int64))
    return seed
