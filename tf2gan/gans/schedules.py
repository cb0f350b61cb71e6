"""Learning rate schedules that are functions of the images seen."""
import tensorflow as tf


class LinearDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant for the first half of the images and then falls linearly to 0.

    Depends on the number of images seen, not on the optimizer's count of steps (Zhu et al. 2017, sec. 7.1).
    """

    def __init__(self, learning_rate, images_seen, total_images):
        self.learning_rate = learning_rate
        self.images_seen = images_seen
        self.total_images = total_images

    def __call__(self, step):
        left = 1.0 - tf.cast(self.images_seen, tf.float32) / float(self.total_images)
        return self.learning_rate * tf.clip_by_value(2.0 * left, 0.0, 1.0)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "total_images": self.total_images}


class EpochDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is multiplied by `factor` after each pass over the data."""

    def __init__(self, learning_rate, factor, gan):
        """Reads the clock and the length of an epoch from `gan`, when a step is traced."""
        self.learning_rate, self.factor, self._gan = learning_rate, factor, gan

    def __call__(self, step):
        if self._gan.epoch_images is None and not tf.inside_function():
            return self.learning_rate  # Keras 2 asks when it creates the optimizer, before the epoch's length is known
        epochs = tf.cast(self._gan.images_seen // self._gan.epoch_images, tf.float32)
        return self.learning_rate * tf.pow(self.factor, epochs)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "factor": self.factor}
