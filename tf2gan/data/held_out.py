"""Keeps some training images back, which show whether a discriminator learns the others by heart."""
import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.core.seeds import fold
from tf2gan.data.labelled import taken

TESTS = ("validation", "test")  # splits that serve instead, the first that there is
_LARGEST = 50  # images kept back where nobody says how many


def divided(splits, config):
    """`splits` without those of TESTS, and with "held_out" and "kept", the parts of "train", if any are kept back.

    `config.held_out` images are, which `config.seed` chooses; None: a tenth, at most 50, unless there is a split of
    TESTS. Raises UserError if too few are left for a batch.
    """
    train = splits["train"]
    num, most = config.held_out, max(0, train.num_examples - config.real_batch_size)
    if num is None:
        num = 0 if set(TESTS) & set(splits) else min(_LARGEST, train.num_examples // 10, most)
    splits = {name: split for name, split in splits.items() if name not in TESTS}
    if not num:
        return splits
    if num > most:
        raise UserError(f"--held-out {num}: {config.dataset} has {train.num_examples} images, and a batch needs "
                        f"{config.real_batch_size}; possible: 0 to {most}")
    keys = tf.random.stateless_uniform([train.num_examples], fold(config.seed, "held_out"), None, None, tf.int64)
    order = np.argsort(keys.numpy(), kind="stable")
    return {**splits, "held_out": taken(train, np.sort(order[:num]), "held_out"),
            "kept": taken(train, np.sort(order[num:]), "kept")}
