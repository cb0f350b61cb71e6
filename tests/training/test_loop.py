"""The loop's parts: replicas, many steps in a call, what stops it, and the checks before it."""
import re
import types

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.gans import base
from tf2gan.gans.cyclegan import CycleGAN
from tf2gan.gans.image_pool import ImagePool
from tf2gan.training import summary
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan, compile_steps
from tf2gan.training.options import Options, check_options
from tf2gan.training.plan import check_data, epoch_images, total_images

NETWORKS = ["generator_xy", "generator_yx", "discriminator_x", "discriminator_y"]


def batches(num, size=64, batch=2):
    draw = np.random.default_rng(0)
    return [{name: draw.uniform(-1, 1, [batch, size, size, 3]).astype(np.float32) for name in "xy"} for _ in range(num)]


def iterator(strategy, values):
    """Over global batches, as `train` makes it."""
    parts = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *values)
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(len(tf.nest.flatten(values[0])[0]), drop_remainder=True)
    return iter(strategy.experimental_distribute_dataset(dataset))


def weights_of(model):
    return {name: np.concatenate([w.ravel() for w in getattr(model, name).get_weights()])
            for name in (*NETWORKS, "average_xy", "average_yx")}


class Compiled:
    """A tiny CycleGAN on some replicas, with its steps compiled, and a way back to its beginning."""

    def __init__(self, config, replicas, folder):
        self.strategy = make_strategy(Options(replicas=replicas))
        self.gan = build_gan(CycleGAN, config, 100, self.strategy)
        self.steps = compile_steps(self.gan, self.strategy, self.gan.phase())
        self.start = tf.train.Checkpoint(gan=self.gan).write(str(folder / f"start-{replicas}"))

    def run(self, values, steps_per_call):
        """The logs of each call, from the beginning of training."""
        tf.train.Checkpoint(gan=self.gan).read(self.start)
        source = iterator(self.strategy, values)
        return [self.steps(source, tf.constant(steps_per_call)) for _ in range(len(values) // steps_per_call)]


@pytest.fixture(scope="module")
def compiled(tiny_config, tmp_path_factory):
    """{number of replicas: Compiled}.

    SGD, since Adam hides wrong factors; a pool that never fills, since each replica throws its own dice for swaps. The
    absolute values in the loss make rounding grow from step to step, so few and small steps.
    """
    config = tiny_config(image_size="64", optimizer="sgd", learning_rate=0.001, pool_size=50, ema_decay=0.5)
    return {replicas: Compiled(config, replicas, tmp_path_factory.mktemp("start")) for replicas in (1, 2)}


def test_replicas_make_the_same_update(compiled):
    assert [compiled[n].gan.num_replicas for n in (1, 2)] == [1, 2]
    before, values, results, logs = weights_of(compiled[1].gan), batches(3), {}, {}
    for replicas, one in compiled.items():
        logs[replicas] = one.run(values, 3)
        results[replicas] = weights_of(one.gan)
        assert one.gan.images_seen.numpy() == 6
    for name, weights in results[1].items():
        assert np.abs(weights - before[name]).max() > 5e-4, "else agreement would mean nothing"
        np.testing.assert_allclose(results[2][name], weights, rtol=0, atol=1e-6)
    assert logs[2][0] == pytest.approx(logs[1][0], rel=1e-4)


def test_many_steps_in_a_call_are_the_same_as_one_by_one(compiled):
    """Of CycleGAN but for rounding, which differs from run to run without --deterministic."""
    one, values = compiled[1], batches(3)
    apart = one.run(values, 1)
    expected = weights_of(one.gan)
    together, = one.run(values, 3)
    for name, weights in weights_of(one.gan).items():
        np.testing.assert_allclose(weights, expected[name], rtol=0, atol=1e-6)
    assert together == pytest.approx({name: np.mean([log[name] for log in apart]) for name in together}, rel=1e-4)


# The steps of something simpler.

class Toy(base.GAN):
    """One layer, which learns to hand on less; it logs what it is given."""

    def __init__(self, config, total_images=None, channels=4, size=2, optimizer="SGD"):
        super().__init__(config, total_images)
        self.shape, self.traces = (size, size, channels), 0
        self.network = self.layer()
        self.average = self.average_of(self.network, self.layer, config.ema_decay)
        self.pool = ImagePool(2, self.shape)
        self.optimizer = getattr(tf.keras.optimizers, optimizer)(0.1)
        self.build_all([(self.optimizer, self.network.trainable_variables)])

    def layer(self):
        layer = tf.keras.layers.Conv2D(self.shape[-1], 1, use_bias=False)
        layer.build([None, *self.shape])
        return layer

    @property
    def networks(self):
        return {"network": (self.network, [tf.zeros([1, *self.shape])])}

    def batch_spec(self, batch_size):
        return tf.TensorSpec([batch_size, *self.shape], tf.float32)

    def train_step(self, batch):
        self.traces += 1
        loss, mean = self.minimize(lambda: (tf.reduce_mean(self.network(batch) ** 2), tf.reduce_mean(batch)),
                                   self.optimizer, self.network.trainable_variables)
        return {"mean": mean, "loss": loss, "images": tf.cast(self.images_seen, tf.float32)}


def toy_steps(values, replicas=1):
    """(Toy, its steps, an iterator over batches of two constant images of these values)."""
    strategy = make_strategy(Options(replicas=replicas))
    toy = build_gan(Toy, base.Config(batch_size=2), None, strategy)
    source = iterator(strategy, [np.full([2, 2, 2, 4], value, np.float32) for value in values])
    return toy, compile_steps(toy, strategy, toy.phase()), source


@pytest.mark.parametrize("replicas", [1, 2])
def test_logs_are_the_mean_over_the_steps_of_a_call(replicas):
    toy, steps, source = toy_steps([1, 2, 6, 10, 20, 30], replicas)
    first, second = steps(source, tf.constant(3)), steps(source, tf.constant(2))
    assert list(first) == ["mean", "loss", "images"]
    assert (first["mean"], second["mean"]) == (3, 15)
    assert (first["images"], second["images"]) == (2, 7)  # 0, 2, 4 and 6, 8
    assert toy.images_seen.numpy() == 10
    assert steps(source, tf.constant(1))["mean"] == 30, "no batch is lost between calls"


def test_logs_are_the_mean_over_replicas():
    strategy = make_strategy(Options(replicas=2))
    toy = build_gan(Toy, base.Config(batch_size=2), None, strategy)
    batch = np.stack([np.full([2, 2, 4], value, np.float32) for value in (1, 4)])
    steps = compile_steps(toy, strategy, toy.phase())
    assert steps(iterator(strategy, [batch]), tf.constant(1))["mean"] == 2.5


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_stops_at_the_first_step_that_is_not_finite(bad):
    toy, steps, source = toy_steps([1, 2, bad, 4, 5, 6])
    logs = steps(source, tf.constant(5))
    assert not np.isfinite(logs["mean"]) and not np.isfinite(logs["loss"])
    assert logs["images"] == 4, "the values are those of that step, not a mean"
    assert toy.images_seen.numpy() == 6


def test_many_steps_in_a_call_are_bitwise_the_same_as_one_by_one():
    results = []
    for steps_per_call in (1, 6):
        toy, steps, source = toy_steps(range(6))
        for _ in range(6 // steps_per_call):
            steps(source, tf.constant(steps_per_call))
        results.append((toy.images_seen.numpy(), toy.network.get_weights()[0], toy.average.get_weights()[0]))
    for apart, together in zip(*results):
        np.testing.assert_array_equal(apart, together)
    assert results[0][0] == 12 and (results[0][1] != results[0][2]).all()


def test_another_number_of_steps_does_not_trace_again():
    toy, steps, source = toy_steps(range(12))
    steps(source, tf.constant(1))
    traces = toy.traces
    for num_steps in (2, 3, 5):
        steps(source, tf.constant(num_steps))
    assert toy.traces == traces > 0
    assert toy.images_seen.numpy() == 22


def test_initial_weights_are_a_function_of_the_seed(tiny_config):
    strategy = make_strategy(Options(replicas=1))
    first, again, other = (build_gan(Toy, tiny_config(seed=seed), None, strategy).network.get_weights()[0]
                           for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# Before training.

def splits(**sizes):
    return {name: types.SimpleNamespace(name=name, num_examples=num) for name, num in sizes.items()}


SPLITS = splits(trainA=100, trainB=250, testA=1000)


@pytest.mark.parametrize("changes, expected", [
    ({"steps": 7}, 28), ({"images": 40}, 40), ({"images": 41}, 44), ({"epochs": 2}, 500), ({"epochs": 1}, 252)])
def test_total_images(tiny_config, changes, expected):
    config = tiny_config(batch_size=4, **{"epochs": None, **changes})
    assert total_images(config, SPLITS) == expected


def test_an_epoch_is_of_the_larger_training_split():
    assert epoch_images(SPLITS) == 250


@pytest.mark.parametrize("batch_size, replicas, message", [
    (101, 1, "--batch-size 101: larger than trainA, which has 100 images"),
    (3, 2, "--batch-size 3: cannot be shared equally by 2 replicas"),
])
def test_check_data(tiny_config, batch_size, replicas, message):
    with pytest.raises(UserError, match=message):
        check_data(tiny_config(batch_size=batch_size), SPLITS, replicas)


def test_check_data_takes_what_fits(tiny_config):
    check_data(tiny_config(batch_size=100), SPLITS, 2)


@pytest.mark.parametrize("name, value, least", [
    ("sample_every", -1, 0), ("checkpoint_every", -1, 0), ("log_every", 0, 1), ("num_samples", 0, 1),
    ("replicas", 0, 1)])
def test_check_options(name, value, least):
    check_options(Options(**{name: least}))
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')} {value}: must be at least {least}"):
        check_options(Options(**{name: value}))


# Summaries.

def test_layers_add_up(compiled):
    network = compiled[1].gan.generator_xy
    title, *rows = summary.layers(network, [tf.zeros([1, 32, 32, 3])]).splitlines()
    total = int(re.search(r"([\d,]+) parameters", title)[1].replace(",", ""))
    counts = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert sum(counts) == total == network.count_params()
    # 4 times convolution, activation, norm; 3 times convolution, dropout, norm; 1 more to the image.
    assert len(rows) == 22 and rows[0].split()[:3] == ["down_0", "Conv2D", "16x16x2"]
    assert rows[-1].split()[2] == "32x32x3"
    assert network(tf.zeros([1, 32, 32, 3])).shape == [1, 32, 32, 3], "the network is as it was"
    assert summary.layers(network, [tf.zeros([1, 64, 32, 3])]).splitlines()[1].split()[2] == "32x16x2"


def memory_of(optimizer="Adam", batch_size=8, ema_decay=None, replicas=1):
    """(total, variables, gradients, activations) in MiB of a Toy: a layer of 1 MiB, a pool of two images of 1/2 MiB."""
    strategy = make_strategy(Options(replicas=replicas))
    with strategy.scope():
        toy = Toy(base.Config(batch_size=batch_size, ema_decay=ema_decay), channels=512, size=16, optimizer=optimizer)
    text = summary.memory(toy, strategy)
    assert "\n" not in text
    return [int(number) for number in re.findall(r"(\d+)(?= MiB|,|\))", text)]


def test_memory_grows_with_the_batch():
    (total, _, gradients, activations), (larger, *_, more) = memory_of(batch_size=8), memory_of(batch_size=16)
    assert gradients == 1
    assert activations >= 4 and larger - total == more - activations == 4  # 8 outputs of half a MiB


def test_memory_has_weights_optimizers_pools_and_averages():
    assert memory_of()[1] == 1 + 2 + 1  # Adam has two moments of every weight
    assert memory_of(ema_decay=0.9)[1] == 1 + 2 + 1 + 1


def test_memory_is_of_one_device():
    one, two = memory_of(replicas=1), memory_of(replicas=2)
    assert two[1] == one[1], "each device has its own pool"
    assert two[3] == one[3] - 2, "each device has half of the images"
