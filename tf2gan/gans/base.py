"""The base class of all methods: networks + optimizers + one update rule + one way to generate."""
import functools
from typing import Optional

import tensorflow as tf

from tf2gan.core import seeds
from tf2gan.gans import augmentation
from tf2gan.gans.abilities import Abilities
from tf2gan.gans.accumulation import Parts
from tf2gan.gans.configs.base import Config
from tf2gan.gans.loss_scale import LossScale
from tf2gan.gans.optimizers import OPTIMIZERS
from tf2gan.gans.schedules import EpochDecay, LinearDecay
from tf2gan.networks.layers import variable_of

_LARGE = 2 ** 16  # numbers; smaller variables may be statistics, which replicas keep for themselves


class GAN(tf.Module):
    """Base of all methods. As a tf.Module it tracks everything that a checkpoint must hold.

    A method creates its networks and optimizers in __init__, calls `build_all` at its end, and implements `train_step`
    and `generate`.
    """

    Config = Config
    abilities = Abilities()  # what it can do when it is trained
    presets = {}  # name: Config; the first is the default
    takes_networks = ()  # those of "generator" and "discriminator" that a user can bring
    preset_options = {}  # {name of a preset: {name of a training.options.Options field: its default there}}
    splits = ()  # names of those that the method needs; "trainA" among them means unpaired images
    class_names = None  # those of the data, if they have labels; set by whoever creates the object
    epoch_images = None  # real images in one pass over the data; set by whoever trains
    batches_per_step = 1  # real batches that one step consumes

    def __init__(self, config: Config, total_images: Optional[int] = None, own=None):
        """Creates only the clock; a method creates its networks.

        Args:
            total_images: the planned length of training, for schedules that end with it.
            own: {"generator" or "discriminator": function from `networks.own.builder`} for networks that a user brings
                to replace the method's.
        """
        super().__init__(name="gan")
        self.config = config
        self.abilities = self.abilities_for(config)
        self.own = {} if own is None else own
        self.total_images = total_images
        self.num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # The parts of a step's batch that are computed one after the other; None: the batch as a whole.
        self._parts = Parts(config.accumulate) if config.accumulate > 1 else None
        # The clock of schedules and random numbers; written outside of replicas only.
        self.images_seen = tf.Variable(0, trainable=False, dtype=tf.int64, name="images_seen")
        # The replicas of this process; other machines have others.
        self.num_local_replicas = len(tf.distribute.get_strategy().experimental_local_results(self.images_seen))
        self.averages = []  # pairs (averaged network, trained network)
        # Their variables are tracked here: a checkpoint does not see those of a Keras 3 model that is not trainable.
        self.averaged_variables, self.averaged_from, self._decays = [], [], []
        # The changes through which discriminators see all images; a method passes images through it if there is one.
        self.augmentation = augmentation.of(config, self.draw)

    @classmethod
    def abilities_for(cls, config) -> Abilities:
        """What a GAN with this config can do: all that `abilities` says, unless the method has an option for it."""
        return cls.abilities

    # Methods implement these.

    @property
    def networks(self) -> dict:
        """{name: (trained network, its inputs for one example, all zeros)}, for summaries."""
        raise NotImplementedError

    def batch_spec(self, batch_size) -> dict:
        """{name: tf.TensorSpec} of a batch of training data, for one replica."""
        raise NotImplementedError

    def phase(self) -> dict:
        """Static keyword arguments of `train_step`, computed on the host; each new value needs a new graph."""
        return {}

    def is_penalized(self, images_per_step):
        """Whether the next step has a penalty that only some steps have, bool []; None: all steps are alike.

        If it is not None, `train_step` takes `penalized`, True or False.
        """
        return None

    def begin_phase(self):
        """Called when `phase` has changed, and whenever a training begins or is resumed."""

    def phase_end(self) -> Optional[int]:
        """The number of images seen at which `phase` will change next; None if it will not."""
        return None

    def train_step(self, *batches, **phase) -> dict:
        """One update in replica context from `batches_per_step` batches; returns {name: scalar} to log.

        Conditions on tensors need tf.where or tf.cond: AutoGraph does not convert this method.
        """
        raise NotImplementedError

    def generate(self, inputs, **kwargs):
        """Generates what samples, metrics and exports use, with the averaged weights if there are any."""
        raise NotImplementedError

    def sample_inputs(self, num):
        """The fixed inputs of `sample` in training, `num` samples of each kind; None: held-out images of the data."""
        return None

    def sample(self, inputs) -> dict:
        """Pictures that show progress: {name: [rows, columns, height, width, channels] in [-1, 1]}."""
        raise NotImplementedError

    def sample_titles(self) -> dict:
        """{name of a picture of `sample`: {"column_titles": [...], "row_titles": [...]}, both optional}."""
        return {}

    def diagnose(self, history) -> dict:
        """{short name: sentence} of the faults that the log lines so far, oldest first, show."""
        return {}

    def checked(self) -> list:
        """What `diagnose` searches the log for, each in a few words; empty if it searches for nothing."""
        return []

    # Methods call these.

    def make_optimizer(self, kind, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, decay=False,
                       epoch_decay=None):
        """A Keras optimizer: `kind` is one of OPTIMIZERS; for `decay` and `epoch_decay` see `schedules`.

        A GAN without a planned length, which is not trained, has no `decay`.
        """
        if decay and self.total_images is not None:
            learning_rate = LinearDecay(learning_rate, self.images_seen, self.decay_images())
        elif epoch_decay is not None:
            learning_rate = EpochDecay(learning_rate, epoch_decay, self)
        return OPTIMIZERS[kind](learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)

    def decay_images(self) -> int:
        """The number of images seen at which decaying learning rates are 0."""
        return self.total_images

    def average_of(self, network, build, decay):
        """A copy of `network`, made by `build()`, averaged with `decay`; `network` itself if `decay` is None."""
        if decay is None:
            return network
        average = build()
        # Paired before `trainable` is set to False, which changes the order of variables.
        self.averaged_variables += average.variables
        self.averaged_from += network.variables
        self._decays += [decay] * len(average.variables)
        average.trainable = False
        self.averages.append((average, network))
        return average

    def build_all(self, optimizers):
        """Builds optimizers for their variables, and sets the averages to what they average.

        `optimizers`: pairs (optimizer, its variables). Keras 3 refuses variables not seen at build, and a checkpoint
        can only be restored into variables that exist.
        """
        self.optimizers = optimizers
        float16 = tf.keras.mixed_precision.global_policy().name == "mixed_float16"
        self.loss_scales = [LossScale() for _ in optimizers] if float16 else []
        # Tracked here: of layers in a list of a Keras 3 model, a checkpoint sees only what an optimizer holds. That
        # leaves out batch-normalization statistics.
        self.trained_variables = [variable for network, _ in self.networks.values() for variable in network.variables]
        for optimizer, variables in optimizers:
            optimizer.build(variables)
        for target, source in zip(self.averaged_variables, self.averaged_from):
            target.assign(source)

    def weights(self):
        """The averaged variables and those that optimizers train."""
        return [*self.averaged_variables, *(variable for _, variables in self.optimizers for variable in variables)]

    def minimize(self, loss_fn, optimizer, variables, clip_norm=None):
        """One optimizer step on `variables`: the only gradient tape, and the only division by the number of replicas.

        `loss_fn()` returns a scalar, the mean over this replica's examples, and whatever else is worth keeping; both
        are returned. Gradients are summed, not averaged, across replicas and parts of a batch, hence the division.
        `clip_norm`: largest norm of the gradient of all variables together (Pascanu et al. 2013).
        """
        scale = next((each for each, (its, _) in zip(self.loss_scales, self.optimizers) if its is optimizer), None)
        with tf.GradientTape() as tape:
            loss, kept = loss_fn()
            scaled = loss / (self.num_replicas * self.config.accumulate)
            if scale is not None:
                scaled *= scale.value
        gradients = tape.gradient(scaled, variables)
        if self._parts is None:
            self._update(gradients, optimizer, variables, clip_norm, scale)
        else:
            self._parts.meet(self._parts.add(gradients),
                             lambda sums: self._update(sums[-1], optimizer, variables, clip_norm, scale))
        return loss, kept

    def _update(self, gradients, optimizer, variables, clip_norm, scale):
        if clip_norm is not None or scale is not None:  # else Keras leaves out, and warns of, what has no gradient
            pairs = [(gradient, variable) for gradient, variable in zip(gradients, variables) if gradient is not None]
            gradients, variables = zip(*pairs)
        if scale is not None:
            gradients = [tf.convert_to_tensor(gradient) / scale.value for gradient in gradients]
        if clip_norm is not None:
            # The sum is what must be clipped, so it is computed here; each replica then applies its share.
            gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
            if self.num_replicas > 1:
                gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
            gradients = [gradient / self.num_replicas for gradient in gradients]
        if scale is None:
            optimizer.apply_gradients(zip(gradients, variables))
        else:
            scale.apply(lambda *given: optimizer.apply_gradients(zip(given, variables)), gradients)

    def note_signs(self, logs, real_logits, boundary):
        """Adds to `logs` what ADA, if it is on, follows: "real_sign", the mean of sign(D(x)) of real images.

        `boundary`: the logit that means neither real nor generated. `take_signs` belongs to it.
        """
        if self.config.augment == "ada":
            signs = tf.sign(tf.cast(real_logits, tf.float32) - boundary)
            logs["real_sign"], logs["signs"] = tf.reduce_mean(signs), (tf.reduce_sum(signs), tf.size(signs))

    def take_signs(self, logs):
        """Called after the update, outside of its tape, with the `logs` to which `note_signs` has added."""
        if self.config.augment == "ada":
            self.augmentation.observe(*logs.pop("signs"))
            logs["augment_p"] = tf.convert_to_tensor(self.augmentation.p)

    def batch_mean(self, values):
        """The mean over a whole step's examples of `values`, which are the mean over those that are here."""
        if self._parts is not None:
            # As of replicas, the gradient reaches the values of all: each part has that of its own.
            mean = self._parts.meet(values, lambda each: tf.add_n(each) / len(each))
            values = values + tf.stop_gradient(mean - values)
        if self.num_replicas > 1:
            values = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)
        return values

    def seed_for(self, purpose: str):
        """Seed (int64 [2]) for this purpose, step and replica, or part."""
        return seeds.fold(self.config.seed, purpose, self.images_seen, self._share())

    def draw(self, distribution, shape, purpose: str):
        """Random numbers for this purpose and step, float32 `shape`; the first axis is this replica's examples.

        `distribution`: "normal", N(0, 1), or "uniform", U(0, 1). Numbers are drawn for the whole batch and then split,
        so that those of an example do not depend on the number of replicas, or of parts.
        """
        function = {"normal": seeds.normal, "uniform": seeds.uniform}[distribution]
        num, shares = shape[0], self.num_replicas * self.config.accumulate
        everything = function([num * shares, *shape[1:]], seeds.fold(self.config.seed, purpose, self.images_seen))
        if shares == 1:
            return everything
        return tf.ensure_shape(everything[self._share() * num:][:num], shape)

    def draw_alike(self, shape, purpose: str):
        """Random numbers from U(0, 1) for this purpose and step, float32 `shape`, the same in all replicas."""
        return seeds.uniform(shape, seeds.fold(self.config.seed, purpose, self.images_seen))

    def _share(self):
        """The index of this replica's part of the batch; parts follow each other, replicas share each of them."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return replica if self._parts is None else self._parts.index * self.num_replicas + replica

    # The training loop calls these; the last two outside of replicas.

    def whole_step(self, *batches, **phase) -> dict:
        """`train_step` from `batches_per_step` batches for each part of `accumulate`; returns the mean of their logs.

        Of those, the first `accumulate` are the parts of the first batch, and so on.
        """
        logs = self._in_parts(*(batches[i::self.config.accumulate] for i in range(self.config.accumulate)), **phase)
        if self.loss_scales:
            logs["loss_scale"] = tf.reduce_min(tf.stack([scale.value for scale in self.loss_scales]))
        return logs

    def part_of_step(self, *batches, **phase) -> dict:
        """What `whole_step` computes for one of its parts, from `batches_per_step` batches, to see what that needs."""
        return self._in_parts(batches, **phase)

    def _in_parts(self, *parts, **phase):
        if self._parts is None:
            return self.train_step(*parts[0], **phase)
        logs = self._parts.run([functools.partial(self.train_step, *part, **phase) for part in parts])
        return {name: tf.add_n([tf.cast(each[name], tf.float32) for each in logs]) / len(logs) for name in logs[0]}

    def restored(self, num_replicas):
        """Called after a checkpoint of `num_replicas` replicas is restored, for state that differs between replicas."""

    def end_step(self, num_images):
        """Advances the clock by the images of one step, and the averages by one step.

        The averages start as copies. Their decay at step t is min(decay, (1 + t) / (10 + t)): at first they cover about
        the last tenth of the training, so that early samples are not those of an untrained network. If the batch size
        changes, t is computed as if it had always been that of this step.
        """
        self.images_seen.assign_add(num_images)
        if self.config.augment == "ada":
            self.augmentation.adapt(num_images)
        if self.averages:
            step = tf.cast(self.images_seen // num_images, tf.float32)
            allowed = (1.0 + step) / (10.0 + step)
            for target, source, decay in self.moving_averages():
                _move_towards(target, source, 1.0 - tf.minimum(decay, allowed))

    def moving_averages(self) -> list:
        """[(averaged variable, what it averages, decay)] of what learns in the phase of this step."""
        return list(zip(self.averaged_variables, self.averaged_from, self._decays))


def _move_towards(target, source, share):
    """Adds `share` of the difference from `source` to `target`; outside of replicas.

    For large variables, which only the memory holds up, with fewer passes over it: target -= share * (target - source)
    is what an operation for gradient descent does.
    """
    target, source = variable_of(target), variable_of(source)
    if target.shape.num_elements() < _LARGE:
        target.assign(source + (1.0 - share) * (target - source))
        return
    local = tf.distribute.get_strategy().experimental_local_results
    for ours, theirs in zip(local(target), local(source)):
        tf.raw_ops.ResourceApplyGradientDescent(var=ours.handle, alpha=share, delta=ours - theirs)
