"""Losses as pure functions of logits or images. Each returns a float32 scalar, the mean over all that it is given."""
import tensorflow as tf


def mean_squared_error(values, target):
    """mean((values - target)^2); `target` is a number or a tensor that broadcasts."""
    return tf.reduce_mean(tf.math.squared_difference(tf.cast(values, tf.float32), target))


def mean_absolute_error(values, target):
    """mean(|values - target|): the L1 of cycle consistency and of identity (Zhu et al. 2017, eq. 2 and sec. 5.2)."""
    return tf.reduce_mean(tf.abs(tf.cast(values, tf.float32) - tf.cast(target, tf.float32)))


def least_squares_discriminator(real_logits, fake_logits):
    """1/2 mean((D(x) - 1)^2) + 1/2 mean(D(G(z))^2)  (Mao et al. 2017, eq. 9 with a = 0, b = 1)."""
    return 0.5 * (mean_squared_error(real_logits, 1.0) + mean_squared_error(fake_logits, 0.0))


def least_squares_generator(fake_logits):
    """mean((D(G(z)) - 1)^2)  (Zhu et al. 2017, sec. 4; Mao et al. 2017, eq. 9 with c = 1, there halved)."""
    return mean_squared_error(fake_logits, 1.0)
