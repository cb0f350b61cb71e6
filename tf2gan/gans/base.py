"""What every method is: networks + optimizers + one update rule + one way to generate."""
from typing import Optional

import tensorflow as tf

from tf2gan.core.seeds import fold
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.configs.base import Config
from tf2gan.gans.optimizers import OPTIMIZERS
from tf2gan.gans.schedules import EpochDecay, LinearDecay


class GAN(tf.Module):
    """Base of all methods. As a tf.Module it tracks everything that a checkpoint must hold.

    A method creates its networks and optimizers in __init__, calls `build_all` at its end, and implements `train_step`
    and `generate`.
    """

    Config = Config
    abilities = Abilities()  # what can be done with it once it is trained
    presets = {}  # name: Config; the first is the default
    takes_networks = ()  # of "generator" and "discriminator", those that a user can bring
    preset_options = {}  # {name of a preset: {name of a training.Options field: its default there}}
    splits = ()  # of the data set, that the method needs; "trainA" among them: unpaired images
    class_names = None  # of the data, where they have labels; set by whoever makes the object
    epoch_images = None  # real images in one pass over the data; set by whoever trains
    batches_per_step = 1  # real batches that one step consumes

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        """Makes nothing but the clock; a method makes its networks.

        Args:
            total_images: the planned length of training, for schedules that end with it.
            own: {"generator" or "discriminator": function as of `networks.own.builder`} for networks that a user brings
                in place of the method's.
        """
        super().__init__(name="gan")
        self.config = config
        self.own = {} if own is None else own
        self.total_images = total_images
        self.num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # The clock of everything; written outside of replicas only.
        self.images_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name="images_seen")
        # Those of this process; other machines may have more.
        self.num_local_replicas = len(tf.distribute.get_strategy().experimental_local_results(self.images_seen))
        self.averages = []  # pairs of an averaged network and the trained one
        # Their variables by themselves: a checkpoint does not reach into a Keras 3 model that was made not trainable.
        self.averaged_variables, self.averaged_from, self._decays = [], [], []

    # What a method provides.

    @property
    def networks(self) -> dict:
        """{name: (trained network, its inputs for one example, as zeros)}, for summaries."""
        raise NotImplementedError

    def batch_spec(self, batch_size) -> dict:
        """{name: tf.TensorSpec} of a batch of training data, for one replica."""
        raise NotImplementedError

    def phase(self) -> dict:
        """Static keyword arguments of `train_step`, decided on the host; a new value means a new graph."""
        return {}

    def begin_phase(self):
        """What has to be done when `phase` has changed; also called whenever a training begins or is resumed."""

    def phase_end(self) -> Optional[int]:
        """The number of images seen at which `phase` will change next; None if it will not."""
        return None

    def train_step(self, *batches, **phase) -> dict:
        """One update in replica context from `batches_per_step` batches; {name: scalar} to log.

        Conditions on tensors are tf.where or tf.cond: AutoGraph does not see it.
        """
        raise NotImplementedError

    def generate(self, inputs, **kwargs):
        """What samples, metrics and exports call; uses the averaged weights where there are any."""
        raise NotImplementedError

    def sample_inputs(self, num):
        """What `sample` always gets in training, for `num` samples of each kind; None: held-out images of the data."""
        return None

    def sample(self, inputs) -> dict:
        """Pictures of progress: {name: [rows, columns, height, width, channels] in [-1, 1]}."""
        raise NotImplementedError

    def sample_titles(self) -> dict:
        """{name of a picture of `sample`: {"column_titles": [...], "row_titles": [...]}, both optional}."""
        return {}

    def diagnose(self, history) -> dict:
        """{short name: sentence} of what goes wrong, judged by what was logged so far, oldest first."""
        return {}

    # What a method calls.

    def make_optimizer(self, kind, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, decay=False,
                       epoch_decay=None):
        """A Keras optimizer: `kind` is one of OPTIMIZERS; for `decay` and `epoch_decay` see `schedules`."""
        if decay:
            learning_rate = LinearDecay(learning_rate, self.images_seen, self.total_images)
        elif epoch_decay is not None:
            learning_rate = EpochDecay(learning_rate, epoch_decay, self)
        return OPTIMIZERS[kind](learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)

    def average_of(self, network, build, decay):
        """A copy of `network`, made by `build()`, averaged with `decay`; `network` itself where that is None."""
        if decay is None:
            return network
        average = build()
        # Paired before the average is made not trainable, which changes the order.
        self.averaged_variables += average.variables
        self.averaged_from += network.variables
        self._decays += [decay] * len(average.variables)
        average.trainable = False
        self.averages.append((average, network))
        return average

    def build_all(self, optimizers):
        """Builds optimizers for their variables, and makes the averages equal to what they average.

        `optimizers`: pairs of an optimizer and its variables. Keras 3 refuses variables not seen at build, and a
        checkpoint can only be restored into variables that exist.
        """
        self.optimizers = optimizers
        # By themselves: of layers in a list of a Keras 3 model, a checkpoint knows only what an optimizer holds, which
        # batch-normalization statistics are not.
        self.trained_variables = [variable for network, _ in self.networks.values() for variable in network.variables]
        for optimizer, variables in optimizers:
            optimizer.build(variables)
        for target, source in zip(self.averaged_variables, self.averaged_from):
            target.assign(source)

    def weights(self):
        """All that training changes in networks and averages."""
        return [*self.averaged_variables, *(variable for _, variables in self.optimizers for variable in variables)]

    def minimize(self, loss_fn, optimizer, variables, clip_norm=None):
        """One optimizer step on `variables` only: the only tape, and the only division by the number of replicas.

        `loss_fn()` returns a scalar, the mean over this replica's examples, and whatever else it computed that is
        worth keeping. Gradients are summed, not averaged, across replicas, hence the division. Returns both.
        `clip_norm`: the gradient of all variables together is made no longer than this (Pascanu et al. 2013).
        """
        with tf.GradientTape() as tape:
            loss, kept = loss_fn()
            scaled = loss / self.num_replicas
        gradients = tape.gradient(scaled, variables)
        if clip_norm is not None:
            # What is clipped is the sum, so it is made here; each replica then hands on its share of it.
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            if self.num_replicas > 1:
                gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
            gradients = [gradient / self.num_replicas for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, variables))
        return loss, kept

    def seed_for(self, purpose: str):
        """Seed (int64 [2]) for this purpose, this step and this replica."""
        return fold(self.config.seed, purpose, self.images_seen, self._replica())

    def draw(self, distribution, shape, purpose: str):
        """Random numbers for this purpose and step, float32 `shape`; the first axis is this replica's examples.

        `distribution`: "normal" N(0, 1), or "uniform" U(0, 1). They are drawn for all replicas and shared out, so that
        an example's numbers do not depend on how many replicas there are.
        """
        function = {"normal": tf.random.stateless_normal, "uniform": tf.random.stateless_uniform}[distribution]
        num = shape[0]
        everything = function([num * self.num_replicas, *shape[1:]], fold(self.config.seed, purpose, self.images_seen))
        if self.num_replicas == 1:
            return everything
        return tf.ensure_shape(everything[self._replica() * num:][:num], shape)

    @staticmethod
    def _replica():
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    # What training calls, outside of replicas.

    def restored(self, num_replicas):
        """After restoring a checkpoint that has the state of `num_replicas`, where that differs between replicas."""

    def end_step(self, num_images):
        """Advances the clock by the images of one step and the averages by one step.

        The averages start as copies and look back over about a tenth of the training until their decay allows more:
        min(decay, (1 + t) / (10 + t)) at step t, so that early samples are not those of an untrained network. Where
        the batch size changes, t is what it would be if it had always been that of this step.
        """
        self.images_seen.assign_add(num_images)
        if self.averages:
            step = tf.cast(self.images_seen // num_images, tf.float32)
            allowed = (1.0 + step) / (10.0 + step)
            for target, source, decay in zip(self.averaged_variables, self.averaged_from, self._decays):
                target.assign(source + tf.minimum(decay, allowed) * (target - source))
