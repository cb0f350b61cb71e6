"""Adam as one operation per variable."""
import tensorflow as tf

from tf2gan.networks.layers import variable_of


class FusedAdam(tf.keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba 2014, arXiv 1412.6980), updated in one pass over the memory of each variable.

    Its state is that of Keras's Adam, and so is its result up to rounding. Keras's passes over the memory ten times.
    """

    def build(self, variables):
        super().build(variables)
        if hasattr(self, "_place_of"):  # Keras 2 calls this in every update, with that update's variables
            return
        # A function, since Keras would track a dict as part of the state.
        self._place_of = {self._var_key(variable): i for i, variable in enumerate(variables)}.__getitem__

    def update_step(self, gradient, variable, learning_rate=None):
        if isinstance(gradient, tf.IndexedSlices):  # gradient of an embedding
            return super().update_step(gradient, variable, *[learning_rate] * (learning_rate is not None))
        place, step = self._place_of(self._var_key(variable)), tf.cast(self.iterations + 1, tf.float32)
        return tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=variable_of(self._momentums[place]).handle,
            v=variable_of(self._velocities[place]).handle, grad=gradient,
            lr=tf.cast(self.learning_rate if learning_rate is None else learning_rate, tf.float32),
            beta1_power=self.beta_1 ** step, beta2_power=self.beta_2 ** step,
            beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon)
