"""Dynamic loss scaling for float16 (Micikevicius et al. 2017, arXiv 1710.03740, sec. 3.2)."""
import tensorflow as tf

FIRST = 2.0 ** 15
LEAST = 2.0 ** -10  # below, what overflows is not the scaled gradient: the loop ends the training
GROWTH_STEPS = 2000  # updates without an overflow, after which the scale doubles


class LossScale(tf.Module):
    """The factor of a loss that keeps small gradients above float16's smallest number.

    It halves when a gradient overflows, and that update is left out; it doubles after `GROWTH_STEPS` updates without.
    """

    def __init__(self, name="loss_scale"):
        super().__init__(name=name)
        self.value = tf.Variable(FIRST, trainable=False, dtype=tf.float32, name="value")
        # Not int32, which TensorFlow keeps on the host, where XLA cannot reach it from a GPU.
        self.good = tf.Variable(0, trainable=False, dtype=tf.int64, name="good")

    def apply(self, update, gradients):
        """Calls `update(*gradients)` in replica context if they are finite in all replicas, and adapts the scale."""
        replica = tf.distribute.get_replica_context()
        broken = tf.add_n([tf.math.count_nonzero(~tf.math.is_finite(gradient)) for gradient in gradients])
        broken = replica.all_reduce(tf.distribute.ReduceOp.SUM, broken)
        # A condition around an update stands outside of replicas, which could not talk to each other within it.
        replica.merge_call(self._apply_outside, args=(update, broken, *gradients))

    def _apply_outside(self, strategy, update, broken, *gradients):
        # That of the first replica stands for those of all.
        update, broken = (strategy.experimental_local_results(each)[0] for each in (update, broken))
        finite = tf.equal(broken, 0)

        def applied():
            strategy.run(update, args=gradients)
            return tf.constant(True)

        tf.cond(finite, applied, lambda: tf.constant(False))
        grows = finite & (self.good + 1 >= GROWTH_STEPS)
        factor = tf.where(finite, tf.where(grows, 2.0, 1.0), 0.5)
        self.good.assign(tf.where(finite & ~grows, self.good + 1, 0))
        self.value.assign(tf.minimum(self.value * factor, 2.0 ** 24))
