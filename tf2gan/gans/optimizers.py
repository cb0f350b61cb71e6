"""Optimizers by name."""
from tf2gan.core.lazy import tf  # --help lists the optimizers without TensorFlow


def adam(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Adam (Kingma and Ba 2014, arXiv 1412.6980)."""
    from tf2gan.gans.fused_adam import FusedAdam  # here, since a subclass of Keras's Adam cannot be lazy

    return FusedAdam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)


def sgd(learning_rate, **of_adam):
    """SGD without momentum."""
    return tf.keras.optimizers.SGD(learning_rate)


def rmsprop(learning_rate, **of_adam):
    """RMSProp (Tieleman and Hinton 2012)."""
    # Keras adds epsilon under the root: its default 1e-7 would dominate gradients below 3e-4, such as those that pass a
    # critic with clipped weights.
    return tf.keras.optimizers.RMSprop(learning_rate, epsilon=1e-16)


# {name: function of a learning rate, a number or a schedule, and of Adam's beta_1, beta_2 and epsilon}
OPTIMIZERS = {"adam": adam, "sgd": sgd, "rmsprop": rmsprop}
