"""What GANs from noise share: who is updated when and from what, on how many replicas, and the choices of training."""
import dataclasses
import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from tf2gan import losses, training
from tf2gan.errors import UserError
from tf2gan.gans import GANS
from tf2gan.gans.noise_options import Config

NOISE_GANS = [name for name in GANS if name != "cyclegan"]
FILTERS = {"generator_filters": 2, "discriminator_filters": 2}
TINY = {"gan": {"generator_widths": "6", "discriminator_widths": "6"}, "dcgan": FILTERS, "wgan": FILTERS,
        "cgan": {**FILTERS, "num_classes": 3}}
NO_DROPOUT = {"generator_dropout": 0.0, "discriminator_dropout": 0.0}
SGD = {"generator_optimizer": "sgd", "discriminator_optimizer": "sgd"}


def noise(num=8, size=8, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [num, size, size, channels]).astype(np.float32)


def images_of(gan, num=None, seed=0):
    height, _, channels = gan.image_shape
    return tf.constant(noise(num or gan.config.real_batch_size, height, channels, seed))


def batch_of(gan, seed=0):
    """Real images, and labels if it takes any."""
    images = images_of(gan, seed=seed)
    batch = {"images": images}
    if gan.num_classes:
        batch["labels"] = tf.constant((np.arange(len(images)) + seed) % gan.num_classes, tf.int64)
    return batch


def make(name="gan", preset=None, replicas=1, total=1000, **changes):
    """(gan, run): a tiny GAN, and `run(function, *args)`, which calls a method of it in replica context."""
    gan_class = GANS[name]
    config = gan_class.presets[preset or next(iter(gan_class.presets))]
    values = {"image_size": "8", "channels": 1, "latent_size": 5, "batch_size": 8, **TINY[name], **changes}
    strategy = training.make_strategy(training.Options(replicas=replicas))
    gan = training.build(gan_class, dataclasses.replace(config, **values), total, strategy)
    return gan, lambda function, *args, **kwargs: strategy.run(function, args=args, kwargs=kwargs)


def batches(gan, num_steps):
    """Iterator over the batches of so many steps, shared out to replicas as the training loop does it."""
    every = [batch_of(gan, seed=seed) for seed in range(num_steps * gan.batches_per_step)]
    parts = {name: np.concatenate([batch[name] for batch in every]) for name in every[0]}
    dataset = tf.data.Dataset.from_tensor_slices(parts).batch(gan.config.real_batch_size, drop_remainder=True)
    return iter(gan.images_seen.distribute_strategy.experimental_distribute_dataset(dataset))


def steps(gan, num):
    """Logs of each of `num` steps on new images, not compiled, which would take longer than so few steps."""
    strategy, iterator, logs = gan.images_seen.distribute_strategy, batches(gan, num), []
    for _ in range(num):
        step = strategy.run(functools.partial(gan.train_step, **gan.phase()),
                            args=[next(iterator) for _ in range(gan.batches_per_step)])
        gan.end_step(gan.config.images_per_step)
        logs.append({name: float(strategy.reduce("MEAN", value, axis=None)) for name, value in step.items()})
    return logs


def copies(variables):
    return [v.numpy().copy() for v in variables]


def state(gan):
    return {"generator": copies(gan.generator.trainable_variables),
            "statistics of the generator": copies(gan.generator.non_trainable_variables),
            "discriminator": copies(gan.discriminator.trainable_variables),
            "statistics of the discriminator": copies(gan.discriminator.non_trainable_variables),
            "average": copies(gan.average.variables)}


def changed(before, after):
    return {name for name in before if any((a != b).any() for a, b in zip(before[name], after[name]))}


def distance(before, after):
    """Length of the difference of two lists of arrays."""
    return math.sqrt(sum(((a.astype(np.float64) - b) ** 2).sum() for a, b in zip(before, after)))


class Recorder:
    """Stands in for a network or a loss: keeps what it is called with, and returns what `function` makes of it."""

    def __init__(self, function):
        self.function, self.calls = function, []

    def __call__(self, *args, **kwargs):
        self.calls.append(args)
        return self.function(*args, **kwargs)


def mean_logits(images, *condition, training=None, seed=None):
    """A discriminator of known logits: the mean of each image."""
    return tf.reduce_mean(images, axis=[1, 2, 3])[:, None]


# Who is updated.

@pytest.mark.parametrize("name", NOISE_GANS)
def test_each_update_moves_its_own_variables_only(name):
    """Running a network moves its moving statistics too, whichever player is updated; the averages have their time."""
    gan, run = make(name)
    batch, start = batch_of(gan), state(gan)
    run(gan.update_discriminator, *batch.values())
    middle = state(gan)
    run(gan.update_generator, *([batch["labels"]] if "labels" in batch else []))
    end = state(gan)
    statistics = {"statistics of the generator", "statistics of the discriminator"} if name != "gan" else set()
    assert changed(start, middle) == {"discriminator"} | statistics
    assert changed(middle, end) == {"generator"} | statistics
    counts = [int(optimizer.iterations.numpy()) for optimizer, _ in gan.optimizers]
    assert counts == [1, 1]


def test_optimizers_follow_their_own_learning_rates():
    """SGD moves in proportion to its rate; the other player's rate does not matter."""
    def moved(**rates):
        gan, run = make(**SGD, **rates)
        before = state(gan)
        run(gan.train_step, batch_of(gan))
        return [distance(before[player], state(gan)[player]) for player in ("generator", "discriminator")]

    slow = {"generator_learning_rate": 0.0, "discriminator_learning_rate": 0.1}
    none, once = moved(**slow)
    generator, twice = moved(generator_learning_rate=0.5, discriminator_learning_rate=0.2)
    assert none == 0 < generator and twice == pytest.approx(2 * once, rel=1e-4)


@pytest.mark.parametrize("n_critic", [1, 3])
def test_number_of_updates(n_critic):
    gan, _ = make(n_critic=n_critic)
    steps(gan, 4)
    generator, discriminator = (int(optimizer.iterations.numpy()) for optimizer, _ in gan.optimizers)
    assert (generator, discriminator) == (4, 4 * n_critic)
    assert int(gan.images_seen.numpy()) == 4 * n_critic * 8 == 4 * gan.config.images_per_step


def test_every_update_of_the_critic_has_fresh_real_images_latents_and_dice():
    """Through the compiled loop: each step's digits tell which batches came to which update."""
    gan, _ = make("wgan", n_critic=3, batch_size=2)
    gan.update_discriminator = lambda real, number: {"seen": 3 * 10.0 ** number * tf.reduce_mean(real)}
    strategy = gan.images_seen.distribute_strategy
    data = np.repeat(np.arange(1, 10, dtype=np.float32), 2).reshape([18, 1, 1, 1]) * np.ones([1, 8, 8, 1], np.float32)
    dataset = tf.data.Dataset.from_tensor_slices({"images": data}).batch(2)
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    compiled = training.compile_steps(gan, strategy, gan.phase())
    assert [compiled(iterator, tf.constant(1))["seen"] for _ in range(3)] == [321, 654, 987]


def test_every_update_of_a_step_has_its_own_latents_and_dice():
    gan, run = make("wgan", preset="wgan-gp", n_critic=3, instance_noise=0.5, discriminator_dropout=0.5)
    real = images_of(gan)
    run(gan.update_generator)  # counts nothing and moves no clock
    gan.generator_optimizer.learning_rate = 0.0
    gan.discriminator_optimizer.learning_rate = 0.0
    gan.generator = Recorder(gan.generator)
    gan.discriminator_loss = Recorder(gan.discriminator_loss)
    gan.draw = Recorder(gan.draw)
    for number in range(3):
        run(gan.update_discriminator, real, number=number)
    latents = [call[0].numpy() for call in gan.generator.calls]
    fakes = [call[1].numpy() for call in gan.discriminator_loss.calls]
    for values in (latents, fakes):
        assert len(values) == 3 and all((values[i] != values[i - 1]).any() for i in range(3))
    purposes = [purpose for _, _, purpose in gan.draw.calls]
    assert len(set(purposes)) == len(purposes) == 3 * 4  # latents, noise on real, on fake, and the penalty's points


def test_a_step_is_a_function_of_the_clock():
    """With no learning, what is logged at the same clock is equal, and at another one is not."""
    gan, run = make(**SGD, generator_learning_rate=0.0, discriminator_learning_rate=0.0, soft_labels=True,
                    label_flips=0.3, instance_noise=0.3, discriminator_dropout=0.5, generator_dropout=0.5,
                    penalty="dragan")
    first, again = (run(gan.train_step, batch_of(gan)) for _ in range(2))
    gan.images_seen.assign(8)
    other = run(gan.train_step, batch_of(gan))
    for name in ("discriminator_loss", "generator_loss", "penalty", "diversity"):
        assert float(first[name]) == float(again[name]) != float(other[name])


def test_pretraining_leaves_the_generator_alone():
    gan, _ = make(pretrain_images=12)
    strategy, iterator, start = gan.images_seen.distribute_strategy, batches(gan, 4), state(gan)

    def run(num):
        return training.compile_steps(gan, strategy, gan.phase())(iterator, tf.constant(num))

    assert gan.phase() == {"pretraining": True} and gan.phase_end() == 12
    logs = run(2)  # 12 images are more than one step of 8
    assert "generator_loss" not in logs and "discriminator_loss" in logs
    assert changed(start, state(gan)) == {"discriminator"}
    assert [int(optimizer.iterations.numpy()) for optimizer, _ in gan.optimizers] == [0, 2]
    assert gan.phase() == {"pretraining": False} and gan.phase_end() is None
    assert "generator_loss" in run(2)
    assert changed(start, state(gan)) == {"discriminator", "generator", "average"}
    assert [int(optimizer.iterations.numpy()) for optimizer, _ in gan.optimizers] == [2, 4]


# What the discriminator is shown.

@pytest.mark.parametrize("name", ["gan", "cgan"])
@pytest.mark.parametrize("batches", ["separate", "joint"])
def test_real_and_generated_images_pass_separately_or_jointly(name, batches):
    gan, run = make(name, batches=batches)
    gan.discriminator = Recorder(mean_logits)
    real, fake = images_of(gan, seed=1), images_of(gan, seed=2) - 0.5
    labels = [tf.range(8)] if name == "cgan" else []
    loss, logs = run(gan.discriminator_loss, real, fake, *labels)
    shown = [real, fake] if batches == "separate" else [tf.concat([real, fake], axis=0)]
    assert len(gan.discriminator.calls) == len(shown)
    for images, (seen, *condition) in zip(shown, gan.discriminator.calls):
        np.testing.assert_array_equal(seen, images)
        for given in condition:
            np.testing.assert_array_equal(given, np.resize(np.arange(8), len(images)))
    logits = [np.mean(images, axis=(1, 2, 3), dtype=np.float64) for images in (real, fake)]
    expected = 0.5 * (np.mean(np.log1p(np.exp(-logits[0]))) + np.mean(np.log1p(np.exp(logits[1]))))
    assert float(loss) == float(logs["discriminator_loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(logs["real_accuracy"]) == np.mean(logits[0] > 0)
    assert float(logs["fake_accuracy"]) == np.mean(logits[1] <= 0)


def test_only_separate_batches_keep_their_own_statistics():
    """Batch normalization of one forward pass: the logits of real images depend on the generated ones if joint."""
    logs = {}
    for batches in ("separate", "joint"):
        gan, run = make("dcgan", batches=batches, **NO_DROPOUT, loss="wasserstein", weight_clip=1.0)
        run_loss = Recorder(losses.wasserstein_critic)
        for shift in (0, 1):
            inner = losses.ADVERSARIAL["wasserstein"]
            losses.ADVERSARIAL["wasserstein"] = inner._replace(discriminator=run_loss)
            try:
                run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1) * (1 + 9 * shift))
            finally:
                losses.ADVERSARIAL["wasserstein"] = inner
        first, second = (call[0].numpy() for call in run_loss.calls)
        logs[batches] = np.abs(first - second).max()
    assert logs["separate"] == 0 and logs["joint"] > 1e-4


@pytest.mark.parametrize("batch_size, half_batches, expected", [(8, False, 8), (8, True, 4)])
def test_half_batches(batch_size, half_batches, expected):
    gan, run = make(batch_size=batch_size, half_batches=half_batches)
    assert gan.config.real_batch_size == gan.config.images_per_step == expected
    assert gan.batch_spec(8)["images"].shape == [expected, 8, 8, 1]
    assert gan.batch_spec(4)["images"].shape[0] == expected / 2
    gan.discriminator_loss, generator = Recorder(gan.discriminator_loss), gan.generator
    run(gan.update_discriminator, images_of(gan))
    (real, fake), = gan.discriminator_loss.calls
    assert real.shape == fake.shape == [expected, 8, 8, 1]
    gan.generator = Recorder(generator)
    gan.generator.trainable_variables = generator.trainable_variables
    run(gan.update_generator)
    (latents,), = gan.generator.calls
    assert latents.shape == [8, 5]


# Labels.

@pytest.fixture
def labels_given(monkeypatch):
    """Function (number of an update, **changes) -> the labels of 2000 real and 2000 generated images."""
    def give(number=0, seen=0, **changes):
        gan, run = make(batch_size=2000, image_size="1", **changes)
        gan.images_seen.assign(seen)
        gan.discriminator = mean_logits
        pair = losses.ADVERSARIAL["minimax"]
        recorder = Recorder(pair.discriminator)
        monkeypatch.setitem(losses.ADVERSARIAL, gan.config.loss, pair._replace(discriminator=recorder))
        run(gan.discriminator_loss, images_of(gan), images_of(gan), number=number)
        (real_logits, _, *labels), = recorder.calls
        assert [label.shape for label in labels] == [real_logits.shape] * 2
        return [label.numpy().ravel() for label in labels]

    return give


def near(share, probability, num=2000):
    return abs(share - probability) <= 5 * math.sqrt(probability * (1 - probability) / num)


def test_smoothed_labels(labels_given):
    for real_label, fake_label in ((1.0, 0.0), (0.9, 0.0), (0.9, 0.1)):
        real, fake = labels_given(real_label=real_label, fake_label=fake_label)
        assert np.all(real == np.float32(real_label)) and np.all(fake == np.float32(fake_label))


def test_soft_labels(labels_given):
    real, fake = labels_given(soft_labels=True)
    for labels, low, high in ((real, 0.8, 1.0), (fake, 0.0, 0.3)):
        assert low - 1e-6 <= labels.min() < low + 0.01 and high - 0.01 < labels.max() <= high
        assert abs(labels.mean() - (low + high) / 2) < 5 * (high - low) / math.sqrt(12 * 2000)
    assert np.abs(np.corrcoef(real, fake)[0, 1]) < 5 / math.sqrt(2000)
    for others in (labels_given(number=1, soft_labels=True), labels_given(seen=2000, soft_labels=True)):
        assert (others[0] != real).mean() > 0.99


@pytest.mark.parametrize("probability", [0.1, 1.0])
def test_label_flips(labels_given, probability):
    real, fake = labels_given(label_flips=probability, real_label=0.9, fake_label=0.1)
    assert set(np.unique(real)) | set(np.unique(fake)) == {np.float32(0.9), np.float32(0.1)}
    flipped = [real == np.float32(0.1), fake == np.float32(0.9)]
    for each in flipped:
        assert near(each.mean(), probability)
    assert near((flipped[0] & flipped[1]).mean(), probability ** 2), "each kind has its own dice"
    real, fake = labels_given(label_flips=probability, soft_labels=True)
    assert near((real < 0.5).mean(), probability) and real[real < 0.5].max() <= 0.3
    assert near((fake > 0.5).mean(), probability) and fake[fake > 0.5].min() >= 0.8


def test_the_generator_is_never_given_labels_of_its_own(labels_given):
    """Smoothing is the discriminator's: the generator aims at "real" itself."""
    logs = []
    for changes in ({}, {"real_label": 0.9, "fake_label": 0.1}, {"soft_labels": True, "label_flips": 0.5}):
        gan, run = make(**changes)
        logs.append(float(run(gan.update_generator)["generator_loss"]))
    assert logs[0] == logs[1] == logs[2] > 0


# Instance noise.

@pytest.mark.parametrize("seen, part", [(0, 1.0), (5000, 0.5), (10000, 0.0), (20000, 0.0)])
def test_instance_noise_falls_to_0(seen, part):
    gan, run = make(instance_noise=0.4, batch_size=200, total=10000)
    gan.images_seen.assign(seen)
    gan.discriminator = Recorder(mean_logits)
    real, fake = images_of(gan, seed=1), images_of(gan, seed=2)
    run(gan.discriminator_loss, real, fake)
    parts = [(call[0] - images).numpy() for call, images in zip(gan.discriminator.calls, (real, fake))]
    if part == 0:
        assert not np.any(parts)
        return
    for added in parts:
        assert added.std() == pytest.approx(0.4 * part, rel=0.05) and abs(added.mean()) < 0.02
    assert abs(np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1]) < 0.05


def test_the_generators_update_has_instance_noise_too():
    gan, run = make(instance_noise=0.4, batch_size=200)
    gan.discriminator = Recorder(gan.discriminator)
    gan.generator_optimizer.learning_rate = 0.0
    generator = gan.generator
    gan.generator = Recorder(generator)
    gan.generator.trainable_variables = generator.trainable_variables
    run(gan.update_generator)
    added = (gan.discriminator.calls[0][0] - generator(gan.generator.calls[0][0])).numpy()
    assert added.std() == pytest.approx(0.4, rel=0.05)


# Limits on gradients and weights.

@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_gradient_clip(name):
    """With SGD of rate 1 an update is the gradient: as long as the limit if it is longer, and of the same direction."""
    clip, updates = 0.05, {}
    for limit, replicas in ((None, 1), (clip, 1), (clip, 2), (1e3, 2)):
        gan, _ = make(name, replicas=replicas, gradient_clip=limit, **SGD, **NO_DROPOUT,
                      discriminator_learning_rate=1.0, generator_learning_rate=1.0, discriminator_loss_weight=10.0)
        before = state(gan)
        steps(gan, 1)
        updates[limit, replicas] = {player: np.concatenate([(b - a).ravel() for a, b in zip(before[player],
                                    state(gan)[player])]) for player in ("generator", "discriminator")}
    free = updates[None, 1]["discriminator"]
    for one in (updates[clip, 1], updates[clip, 2]):
        assert np.linalg.norm(one["discriminator"]) == pytest.approx(clip, rel=1e-3)
        assert np.linalg.norm(one["generator"]) <= clip * 1.001
        np.testing.assert_allclose(one["discriminator"], free * clip / np.linalg.norm(free), atol=2e-6)
    assert np.linalg.norm(free) > 10 * clip
    for player in ("generator", "discriminator"):
        np.testing.assert_allclose(updates[clip, 2][player], updates[clip, 1][player], atol=2e-6)
    np.testing.assert_allclose(updates[1e3, 2]["discriminator"], free, atol=2e-5)


def test_weight_clip_holds_after_every_update():
    gan, run = make("wgan", weight_clip=0.02, **SGD, discriminator_learning_rate=1.0)
    assert max(np.abs(w).max() for w in copies(gan.discriminator.trainable_variables)) > 0.02
    for number in range(3):
        run(gan.update_discriminator, images_of(gan, seed=number), number=number)
        for weights in copies(gan.discriminator.trainable_variables):
            assert np.abs(weights).max() <= np.float32(0.02)
    assert max(np.abs(w).max() for w in copies(gan.generator.trainable_variables)) > 0.02, "the critic's only"


# One replica or many.

RANDOM = {"instance_noise": 0.2, "n_critic": 2, "soft_labels": True, "label_flips": 0.2}


@pytest.mark.parametrize("name, preset, changes", [
    ("gan", "gan-deep", {**RANDOM, "penalty": "dragan", "latent_distribution": "uniform", "real_label": 1.0,
                         "fake_label": 0.0, "batches": "joint"}),
    ("dcgan", "dcgan", {**RANDOM, "loss": "least-squares"}),
    ("dcgan", "dcgan", {"penalty": "r1", "penalty_weight": 1.0, "gradient_clip": 1.0}),  # sums over replicas of sums
    ("cgan", "cgan", {**RANDOM, "batches": "joint", "half_batches": True}),
    # Over a few pixels the slope of a layer normalization is so steep that rounding shows.
    ("wgan", "wgan-gp", {"instance_noise": 0.2, "n_critic": 2, "image_size": "16",
                         "discriminator_learning_rate": 1e-3}),
    ("wgan", "wgan", {"instance_noise": 0.2, "n_critic": 2, "weight_clip": 0.2}),
], ids=["gan", "dcgan", "dcgan-r1", "cgan", "wgan-gp", "wgan"])
def test_replicas_make_the_same_update(name, preset, changes):
    """Plain SGD, since Adam hides wrong factors; no dropout, whose dice are each replica's own."""
    results = {}
    for replicas in (1, 2):
        gan, _ = make(name, preset, replicas, **{**NO_DROPOUT, **SGD, "generator_learning_rate": 0.01,
                                                 "discriminator_learning_rate": 0.01, **changes})
        before = state(gan)
        logs = steps(gan, 3)
        results[replicas] = state(gan), logs
    (one, logs), (two, other_logs) = results[1], results[2]
    for part in ("generator", "discriminator", "average"):
        assert max(np.abs(a - b).max() for a, b in zip(before[part], one[part])) > 5e-4, "else this would mean nothing"
    for part in one:
        for a, b in zip(one[part], two[part]):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-6, err_msg=part)
    for log, other in zip(logs, other_logs):
        del log["diversity"], other["diversity"]  # over a replica's own images
        assert other == pytest.approx(log, rel=1e-4, abs=1e-5)


# Averages.

@pytest.mark.parametrize("ema_decay", [0.999, 0.2])
def test_averages_follow_their_formula(ema_decay):
    """Moving statistics of batch normalization included, without which the images would not be the average's."""
    gan, run = make("dcgan", ema_decay=ema_decay, generator_learning_rate=0.05)
    expected = gan.generator.get_weights()
    for step in range(1, 5):
        run(gan.train_step, batch_of(gan, seed=step))
        gan.end_step(gan.config.images_per_step)
        decay = min(ema_decay, (1 + step) / (10 + step))
        expected = [decay * a + (1 - decay) * b for a, b in zip(expected, gan.generator.get_weights())]
    latents = gan.latents(4, 0)
    twin = gan.make_generator("twin")
    twin(latents)
    twin.set_weights(expected)
    np.testing.assert_allclose(gan.generate(latents), twin(latents), atol=1e-5)
    assert np.abs(gan.generate(latents) - gan.generator(latents)).max() > 1e-3
    mixed = [b if a.ndim == 1 and i >= len(twin.trainable_variables) else a
             for i, (a, b) in enumerate(zip(expected, gan.generator.get_weights()))]
    twin.set_weights(mixed)  # the network's statistics under averaged weights
    assert np.abs(gan.generate(latents) - twin(latents)).max() > 1e-3


def test_without_averages_generate_uses_the_trained_network():
    gan, run = make(ema_decay=None, generator_learning_rate=0.05)
    latents = gan.latents(4, 0)
    before = gan.generate(latents).numpy()
    run(gan.train_step, batch_of(gan))
    np.testing.assert_array_equal(gan.generate(latents), gan.generator(latents))
    assert np.abs(gan.generate(latents) - before).max() > 1e-3


# Latents.

@pytest.fixture(scope="module")
def normal():
    return make(latent_size=10)[0]


@pytest.fixture(scope="module")
def uniform():
    return make(latent_size=10, latent_distribution="uniform")[0]


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_latents_are_the_first_of_an_endless_sequence(kind, request):
    gan = request.getfixturevalue(kind)
    for truncation in (math.inf, 0.7):
        many = gan.latents(50, 3, truncation).numpy()
        assert many.shape == (50, 10) and many.dtype == np.float32
        for num in (1, 2, 7):
            np.testing.assert_array_equal(gan.latents(num, 3, truncation), many[:num])
        assert (gan.latents(50, 4, truncation).numpy() != many).mean() > 0.99
        as_tensors = tf.function(gan.latents)(tf.constant(50), tf.constant(3), tf.constant(truncation))
        np.testing.assert_allclose(as_tensors, many, atol=1e-6)
    assert len(np.unique(many, axis=0)) == 50


def test_normal_latents(normal):
    numbers = normal.latents(5000, 0).numpy().astype(np.float64)
    assert abs(numbers.mean()) < 5 / math.sqrt(numbers.size)
    assert abs(numbers.var() - 1) < 5 * math.sqrt(2 / numbers.size)
    assert abs((numbers ** 4).mean() - 3) < 5 * math.sqrt(96 / numbers.size)
    assert 3.5 < np.abs(numbers).max() < 6


def test_truncated_normal_latents(normal):
    """At T = 1 the variance is 1 - 2 phi(1) / (2 Phi(1) - 1)."""
    density, inside = math.exp(-0.5) / math.sqrt(2 * math.pi), math.erf(1 / math.sqrt(2))
    variance = 1 - 2 * density / inside
    fourth = 3 * variance - 2 * density / inside
    numbers = normal.latents(5000, 0, 1.0).numpy()
    assert 0.99 < np.abs(numbers).max() <= 1
    assert abs(numbers.var() - variance) < 5 * math.sqrt((fourth - variance ** 2) / numbers.size)
    free = normal.latents(5000, 0).numpy()
    assert (np.sign(numbers) == np.sign(free)).all()
    assert np.diff(free.ravel()[np.argsort(numbers.ravel())]).min() > -1e-6  # in the same order but for rounding
    for truncation in (0.01, 0.5, 3.0):
        assert np.abs(normal.latents(100, 0, truncation)).max() <= truncation
    np.testing.assert_allclose(normal.latents(100, 0, 20.0), normal.latents(100, 0), atol=1e-6)


def test_uniform_latents(uniform):
    numbers = uniform.latents(5000, 0).numpy()
    assert -1 <= numbers.min() < -0.99 and 0.99 < numbers.max() <= 1
    assert abs(numbers.mean()) < 5 * math.sqrt(1 / 3 / numbers.size)
    assert abs(numbers.var() - 1 / 3) < 5 * math.sqrt(4 / 45 / numbers.size)
    np.testing.assert_allclose(uniform.latents(5000, 0, 0.25), numbers / 4, atol=1e-6)
    np.testing.assert_array_equal(uniform.latents(5000, 0, 3.0), numbers)


@pytest.mark.parametrize("kind, low, variance", [("normal", -10, 1), ("uniform", -1, 1 / 3)])
def test_training_draws_latents_of_the_same_distribution(kind, low, variance):
    gan, run = make(latent_distribution=kind, batch_size=4000)
    generator = gan.generator
    gan.generator = Recorder(generator)
    gan.generator.trainable_variables = generator.trainable_variables
    run(gan.update_discriminator, images_of(gan))
    run(gan.update_generator)
    first, second = (call[0].numpy() for call in gan.generator.calls)
    for latents in (first, second):
        assert low <= latents.min() and latents.max() <= -low
        assert latents.mean() == pytest.approx(0, abs=0.03) and latents.var() == pytest.approx(variance, rel=0.05)
    assert (first != second).mean() > 0.99


# Samples.

@pytest.mark.parametrize("num, rows, columns", [(1, 1, 1), (5, 2, 3), (7, 3, 3), (16, 4, 4)])
def test_samples_are_a_grid_as_square_as_can_be(num, rows, columns):
    gan, _ = make()
    latents = gan.sample_inputs(num)
    np.testing.assert_array_equal(latents, gan.latents(num, gan.config.seed))
    grid = gan.sample(latents)["samples"].numpy()
    assert grid.shape == (rows, columns, 8, 8, 1)
    grid = grid.reshape([-1, 8, 8, 1])
    np.testing.assert_array_equal(grid[:num], gan.generate(latents))
    assert np.all(grid[num:] == -1) and np.abs(grid[:num]).max() < 1


# Every choice with every method.

PRESETS = [(name, preset) for name in NOISE_GANS for preset in GANS[name].presets]


@pytest.mark.parametrize("name, preset", PRESETS)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_every_preset_makes_a_step(name, preset, precision):
    changes = {"image_size": "24" if preset == "dcgan-transpose" else "8", "batch_size": 4}
    strategy = training.make_strategy(training.Options(precision=precision.replace("mixed_", "")))
    try:
        config = dataclasses.replace(GANS[name].presets[preset], channels=3, latent_size=5, **TINY[name], **changes)
        gan = training.build(GANS[name], config, 100, strategy)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    logs = strategy.run(gan.train_step, args=[batch_of(gan, seed=i) for i in range(config.n_critic)])
    assert {"discriminator_loss", "generator_loss", "diversity"} < set(logs)
    assert all(value.dtype == tf.float32 and np.isfinite(value) for value in logs.values())
    labels = [tf.zeros([2], tf.int64)] if gan.num_classes else []
    images = gan.generate(gan.latents(2, 0), *labels)
    assert images.shape == [2, *gan.image_shape] and images.dtype == tf.float32
    for weights in gan.weights():
        assert np.isfinite(weights.numpy()).all() and weights.numpy().dtype == np.float32


@pytest.mark.parametrize("loss", losses.ADVERSARIAL)
@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_every_loss_with_every_penalty(name, loss):
    """The penalty is logged by itself and changes the discriminator's update."""
    moved = {}
    for penalty in (None, *losses.PENALTIES):
        clip = 0.5 if loss == "wasserstein" and penalty is None else None
        gan, run = make(name, loss=loss, penalty=penalty, weight_clip=clip, **SGD, ema_decay=None, batch_size=4)
        before = state(gan)
        logs = run(gan.train_step, batch_of(gan))
        assert all(np.isfinite(value) for value in logs.values())
        assert ("penalty" in logs) == (penalty is not None)
        assert ("critic_distance" in logs) == (loss == "wasserstein") != ("real_accuracy" in logs)
        moved[penalty] = distance(before["discriminator"], state(gan)["discriminator"])
        assert distance(before["generator"], state(gan)["generator"]) > 0
        assert all(np.isfinite(w).all() for w in copies(gan.weights()))
    assert len({round(value, 7) for value in moved.values()}) >= 4  # both kinds of wgan-gp may agree


def test_the_penalty_has_its_weight():
    gan, run = make(penalty="r1", penalty_weight=3.0, discriminator_loss_weight=2.0)
    loss, logs = run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1))
    assert float(loss) == pytest.approx(float(logs["discriminator_loss"]) + 3 * float(logs["penalty"]), rel=1e-6)
    plain, _ = make(discriminator_loss_weight=1.0)
    once, _ = run(plain.discriminator_loss, images_of(gan), images_of(gan, seed=1))
    assert float(logs["discriminator_loss"]) == pytest.approx(2 * float(once), rel=1e-6)


def test_diversity():
    """Deviation over the batch, in units of that of the real images."""
    gan, run = make()
    shape = gan.image_shape
    real = tf.linspace(-1.0, 1.0, 8)[:, None, None, None] * tf.ones([8, *shape])
    gan.generator = lambda latents, training, seed: real / 2
    assert float(run(gan.update_discriminator, real)["diversity"]) == pytest.approx(0.5, rel=1e-4)
    one = tf.random.stateless_uniform([1, *shape], [0, 1])
    gan.generator = lambda latents, training, seed: tf.tile(one, [8, 1, 1, 1])
    assert float(run(gan.update_discriminator, real)["diversity"]) == pytest.approx(0, abs=1e-5)


# Bad values.

@pytest.mark.parametrize("name, value, limit", [
    ("channels", 2, "possible: 1, 3"), ("latent_size", 0, "at least 1"), ("n_critic", 0, "at least 1"),
    ("pretrain_images", -1, "at least 0"), ("real_label", 1.1, "from 0 to 1"), ("fake_label", -0.1, "from 0 to 1"),
    ("label_flips", 1.5, "from 0 to 1"), ("instance_noise", -0.1, "at least 0"), ("penalty_weight", -1.0, "at least 0"),
    ("discriminator_loss_weight", float("nan"), "at least 0"), ("generator_learning_rate", -1e-3, "at least 0"),
    ("discriminator_learning_rate", float("inf"), "at least 0 and finite"), ("beta_1", 1.0, "from 0 to 0.9999"),
    ("beta_2", 1.0, "from 0 to 0.999999"), ("generator_dropout", 1.0, "from 0 to 0.99"),
    ("discriminator_dropout", -0.1, "from 0 to 0.99"), ("weight_clip", 0.0, "above 0"),
    ("gradient_clip", -1.0, "above 0"),
    ("gradient_clip", float("inf"), "finite"), ("weight_clip", float("nan"), "above 0"),
    ("batch_size", 0, "at least 1"),
    ("image_size", "28x32", "square"), ("ema_decay", 2.0, "from 0 to 1"),
])
def test_bad_values(name, value, limit):
    with pytest.raises(UserError) as caught:
        Config(**{name: value}).check()
    message = str(caught.value)
    assert message.startswith(f"--{name.replace('_', '-')} {value}:") and limit in message and "\n" not in message


@pytest.mark.parametrize("changes, names", [
    ({"loss": "wasserstein"}, ["--loss wasserstein", "--weight-clip 0.01", "--penalty wgan-gp"]),
    ({"loss": "hinge", "real_label": 0.9}, ["--real-label 0.9", "--loss hinge",
                                            "minimax, non-saturating, least-squares"]),
    ({"loss": "hinge", "soft_labels": True}, ["--soft-labels True", "--loss hinge"]),
    ({"loss": "wasserstein", "weight_clip": 0.1, "label_flips": 0.1}, ["--label-flips 0.1", "--loss wasserstein"]),
    ({"loss": "wasserstein", "penalty": "wgan-gp", "fake_label": 0.1}, ["--fake-label 0.1", "--loss wasserstein"]),
    ({"real_label": 0.3, "fake_label": 0.3}, ["--fake-label 0.3", "below --real-label 0.3"]),
    ({"half_batches": True, "batch_size": 7}, ["--batch-size 7", "even for --half-batches"]),
])
def test_bad_combinations(changes, names):
    with pytest.raises(UserError) as caught:
        Config(**changes).check()
    message = str(caught.value)
    assert "\n" not in message and all(name in message for name in names), message


@pytest.mark.parametrize("field, text", [
    ("generator_widths", ""), ("generator_widths", "128,"), ("discriminator_widths", "0"),
    ("discriminator_widths", "12x8"), ("generator_widths", "-3")])
def test_bad_widths(field, text):
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')} {text}: must be numbers from 1 on"):
        GANS["gan"].Config(**{field: text}).check()


@pytest.mark.parametrize("changes", [
    {}, {"loss": "hinge"}, {"loss": "wasserstein", "weight_clip": 0.01}, {"loss": "wasserstein", "penalty": "wgan-gp"},
    {"soft_labels": True, "label_flips": 0.1}, {"real_label": 0.9, "fake_label": 0.1, "batches": "joint"},
    {"half_batches": True}, {"image_size": None}, {"image_size": "1", "channels": 3}])
def test_good_values(changes):
    Config(**changes).check()


def test_presets_are_possible_and_the_first_is_the_default():
    for name, preset in PRESETS:
        GANS[name].presets[preset].check()
        assert set(GANS[name].preset_options) == set(GANS[name].presets)
    for name in NOISE_GANS:
        assert next(iter(GANS[name].presets.values())) == GANS[name].Config()


# Fitting to the data.

def test_fitted_takes_what_is_open_from_the_data():
    fitted = Config().fitted((28, 28, 1), None)
    assert (fitted.image_size, fitted.channels) == ("28", 1)
    kept = Config(image_size="32", channels=1).fitted((40, 40, 3), None)
    assert (kept.image_size, kept.channels) == ("32", 1)
    assert Config(image_size="32").fitted((None, None, 3), None).channels == 3


@pytest.mark.parametrize("shape, what", [
    ((None, None, 3), "differ in size"), ((28, 32, 1), "28x32 pixels, not square")])
def test_fitted_needs_a_size_where_the_data_have_none(shape, what):
    with pytest.raises(UserError) as caught:
        GANS["dcgan"].Config(dataset="pictures").fitted(shape, None)
    message = str(caught.value)
    assert message.startswith("--image-size is needed") and what in message and "\n" not in message
    assert "pictures" in message and message.endswith("multiples of 4 from 8 on")
