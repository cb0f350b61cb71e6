"""What every method is: networks + optimizers + one update rule + one way to generate."""
import dataclasses
import math
import re
from typing import Optional

import tensorflow as tf

from tf2gan.errors import UserError
from tf2gan.seeds import fold


@dataclasses.dataclass(frozen=True)
class Config:
    """Options that every method has. `None` is off; a method's own Config adds its fields and sets the defaults."""

    dataset: str = ""  # a tensorflow-datasets name, or the path of a folder of images
    image_size: str = "128"  # N, or HEIGHTxWIDTH
    batch_size: int = 1  # images of each kind in a step, over all replicas together
    steps: Optional[int] = None  # length of the whole training; give one of steps, images, epochs
    images: Optional[int] = None  # the same, in images of each kind
    epochs: Optional[int] = None  # the same, in passes over the larger part of the data
    seed: int = 0  # of weights, data order and every random number in training
    ema_decay: Optional[float] = 0.999  # per step, of the averaged generator that samples and exports use; None is off

    @property
    def image_shape(self):
        """(height, width) in pixels. Raises UserError if `image_size` is not N or HEIGHTxWIDTH."""
        if not re.fullmatch(r"[0-9]+(x[0-9]+)?", self.image_size):
            raise UserError(f"--image-size {self.image_size}: must be N or HEIGHTxWIDTH, such as 128 or 96x160")
        sizes = [int(n) for n in self.image_size.split("x")]
        return (sizes * 2)[:2]

    def check(self):
        """Raises UserError for values that no training can use; a method's Config adds its own."""
        self.image_shape
        for name, low, high in (("seed", 0, 2 ** 32 - 1), ("batch_size", 1, None)):
            self.check_range(name, low, high)
        if self.ema_decay is not None:
            self.check_range("ema_decay", 0, 1)

    def check_range(self, name, low, high=None):
        """Raises UserError unless low <= value of the field `name` <= high."""
        value = getattr(self, name)
        if not low <= value < math.inf or (high is not None and value > high):  # refuses NaN too
            limits = f"at least {low} and finite" if high is None else f"from {low} to {high}"
            raise UserError(f"--{name.replace('_', '-')} {value}: must be {limits}")


class GAN(tf.Module):
    """Base of all methods. As a tf.Module it tracks everything that a checkpoint must hold.

    A method creates its networks and optimizers in __init__, calls `build_all` at its end, and implements `train_step`
    and `generate`.
    """

    Config = Config
    presets = {}  # name: Config; the first is the default
    splits = ()  # of the data set, that the method needs
    sample_titles = {}  # {name of a grid that `sample` returns: its column titles}
    batches_per_step = 1  # real batches that one step consumes

    def __init__(self, config: Config, total_images: Optional[int] = None):
        """`total_images` is the planned length of training, for schedules that end with it."""
        super().__init__(name="gan")
        self.config = config
        self.total_images = total_images
        self.num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # The clock of everything; written outside of replicas only.
        self.images_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name="images_seen")
        self.averages = []  # pairs of an averaged network and the trained one

    # What a method provides.

    @property
    def networks(self) -> dict:
        """{name: (trained network, shape of its input without the batch)}, for summaries."""
        raise NotImplementedError

    def batch_spec(self, batch_size) -> dict:
        """{name: tf.TensorSpec} of a batch of training data, for one replica."""
        raise NotImplementedError

    def phase(self) -> dict:
        """Static keyword arguments of `train_step`, decided on the host; a new value means a new graph."""
        return {}

    def train_step(self, *batches, **phase) -> dict:
        """One update in replica context from `batches_per_step` batches; {name: scalar} to log."""
        raise NotImplementedError

    def generate(self, inputs, **kwargs):
        """What samples, metrics and exports call; uses the averaged weights where there are any."""
        raise NotImplementedError

    # What a method calls.

    def average_of(self, network, build):
        """An averaged copy of `network`, made by `build()`; `network` itself where averaging is off."""
        if self.config.ema_decay is None:
            return network
        average = build()
        average.trainable = False
        self.averages.append((average, network))
        return average

    def build_all(self, optimizers):
        """Builds optimizers for their variables, and makes the averages equal to what they average.

        `optimizers`: pairs of an optimizer and its variables. Keras 3 refuses variables not seen at build, and a
        checkpoint can only be restored into variables that exist.
        """
        self.optimizers = optimizers
        for optimizer, variables in optimizers:
            optimizer.build(variables)
        # By themselves: a checkpoint does not reach into a Keras 3 model that was made not trainable.
        self.averaged_variables = [variable for average, _ in self.averages for variable in average.variables]
        for average, network in self.averages:
            for target, source in zip(average.variables, network.variables):
                target.assign(source)

    def weights(self):
        """All that training changes in networks and averages."""
        return [*self.averaged_variables, *(variable for _, variables in self.optimizers for variable in variables)]

    def minimize(self, loss_fn, optimizer, variables):
        """One optimizer step on `variables` only: the only tape, and the only division by the number of replicas.

        `loss_fn()` returns a scalar, the mean over this replica's examples, and whatever else it computed that is
        worth keeping. Gradients are summed, not averaged, across replicas, hence the division. Returns both.
        """
        with tf.GradientTape() as tape:
            loss, kept = loss_fn()
            scaled = loss / self.num_replicas
        gradients = tape.gradient(scaled, variables)
        optimizer.apply_gradients(zip(gradients, variables))
        return loss, kept

    def seed_for(self, purpose: str):
        """Seed (int64 [2]) for this purpose, this step and this replica."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return fold(self.config.seed, purpose, self.images_seen, replica)

    # What training calls, outside of replicas.

    def restored(self, num_replicas):
        """After restoring a checkpoint that `num_replicas` replicas wrote, for state that differs between replicas."""

    def end_step(self, num_images):
        """Advances the clock by the images of one step and the averages by one step.

        The averages start as copies and look back over about a tenth of the training until `ema_decay` allows more:
        decay = min(ema_decay, (1 + t) / (10 + t)) at step t, so that early samples are not those of an untrained
        network.
        """
        self.images_seen.assign_add(num_images)
        if self.averages:
            step = tf.cast(self.images_seen // num_images, tf.float32)
            decay = tf.minimum(self.config.ema_decay, (1.0 + step) / (10.0 + step))
            for average, network in self.averages:
                for target, source in zip(average.variables, network.variables):
                    target.assign(source + decay * (target - source))


class LinearDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that is constant for the first half of the images and then falls linearly to 0.

    Reads the number of images seen, not the optimizer's count of steps (Zhu et al. 2017, sec. 7.1).
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
