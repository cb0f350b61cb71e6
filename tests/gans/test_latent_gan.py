"""What the updates of GANs from noise do: whom they move, what they show, on one replica or many, and the averages."""
import math

import numpy as np
import pytest
import tensorflow as tf
from noise_gans import (
    NO_DROPOUT,
    NOISE_GANS,
    SGD,
    Recorder,
    batch_of,
    batches,
    changed,
    check_same,
    copies,
    distance,
    images_of,
    make,
    mean_logits,
    state,
    steps,
)

from tf2gan.gans import losses
from tf2gan.training.loop import compile_steps

# Who is updated.

# Others have tests of their own.
@pytest.mark.parametrize("name", [name for name in NOISE_GANS if name not in ("sgan", "progan")])
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
    gan.update_discriminator = lambda real, number, penalized: {"seen": 3 * 10.0 ** number * tf.reduce_mean(real)}
    strategy = gan.images_seen.distribute_strategy
    data = np.repeat(np.arange(1, 10, dtype=np.float32), 2).reshape([18, 1, 1, 1]) * np.ones([1, 8, 8, 1], np.float32)
    dataset = tf.data.Dataset.from_tensor_slices({"images": data}).batch(2)
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    compiled = compile_steps(gan, strategy, gan.phase())
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
        return compile_steps(gan, strategy, gan.phase())(iterator, tf.constant(num))

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
    if name == "gan":
        expected = 0.5 * (np.mean(np.log1p(np.exp(-logits[0]))) + np.mean(np.log1p(np.exp(logits[1]))))
    else:  # hinges, which no such logit passes
        expected = np.mean(1 - logits[0]) + np.mean(1 + logits[1])
    assert float(loss) == float(logs["discriminator_loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(logs["real_accuracy"]) == np.mean(logits[0] > 0)
    assert float(logs["fake_accuracy"]) == np.mean(logits[1] <= 0)


@pytest.mark.parametrize("half", [False, True])
def test_a_loss_that_compares_gets_the_logits_of_real_images(half):
    """Of half as many real images, each is compared with two generated ones that follow each other."""
    gan, run = make(loss="relativistic", half_batches=half)
    real = images_of(gan, seed=1)
    fake = gan.generator(run(gan.training_latents, 8, "generator_latents"), training=True)
    gan.discriminator = mean_logits
    logits = [np.mean(images, axis=(1, 2, 3), dtype=np.float64) for images in (np.repeat(real, 8 // len(real), 0), fake)]
    expected = np.mean(np.log1p(np.exp(logits[0] - logits[1])))
    found = float(run(gan.update_generator, real=[real])["generator_loss"])
    assert found == pytest.approx(expected, rel=1e-5) and len(real) == (4 if half else 8)


def test_only_separate_batches_keep_their_own_statistics():
    """Batch normalization of one forward pass: the logits of real images depend on the generated ones if joint."""
    logs = {}
    for way in ("separate", "joint"):
        gan, run = make("dcgan", batches=way, **NO_DROPOUT, loss="wasserstein", weight_clip=1.0)
        run_loss = Recorder(losses.wasserstein_critic)
        for shift in (0, 1):
            inner = losses.ADVERSARIAL["wasserstein"]
            losses.ADVERSARIAL["wasserstein"] = inner._replace(discriminator=run_loss)
            try:
                run(gan.discriminator_loss, images_of(gan), images_of(gan, seed=1) * (1 + 9 * shift))
            finally:
                losses.ADVERSARIAL["wasserstein"] = inner
        first, second = (call[0].numpy() for call in run_loss.calls)
        logs[way] = np.abs(first - second).max()
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
    ("dcgan", "dcgan", {"penalty": "r1-r2", "penalty_weight": 1.0, "penalty_every": 2, "loss": "relativistic",
                        "augment": "diffaugment"}),
    ("cgan", "book", {**RANDOM, "batches": "joint", "half_batches": True}),
    ("cgan", "cgan", {"instance_noise": 0.2, "n_critic": 2}),
    # Over a few pixels the slope of a layer normalization is so steep that rounding shows.
    ("wgan", "wgan-gp", {"instance_noise": 0.2, "n_critic": 2, "image_size": "16",
                         "discriminator_learning_rate": 1e-3}),
    ("wgan", "wgan", {"instance_noise": 0.2, "n_critic": 2, "weight_clip": 0.2}),
], ids=["gan", "dcgan", "dcgan-r1", "dcgan-augmented", "cgan-book", "cgan", "wgan-gp", "wgan"])
def test_replicas_make_the_same_update(name, preset, changes):
    """Plain SGD, since Adam hides wrong factors; no dropout, whose dice are each replica's own."""
    results = {}
    for replicas in (1, 2):
        gan, _ = make(name, preset, replicas, **{**NO_DROPOUT, **SGD, "generator_learning_rate": 0.01,
                                                 "discriminator_learning_rate": 0.01, **changes})
        before = state(gan)
        logs = steps(gan, 3)
        results[replicas] = state(gan), logs
    one, _ = results[1]
    for part in ("generator", "discriminator", "average"):
        assert max(np.abs(a - b).max() for a, b in zip(before[part], one[part])) > 5e-4, "else this would mean nothing"
    check_same(results)


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


@pytest.mark.parametrize("name", ["dcgan", "cgan", "sgan", "progan", "projected"])
def test_logits_of_any_method(name):
    gan, run = make(name)
    if name == "progan":
        gan.images_seen.assign(gan.config.changes()[1] + 4)  # while a level is faded in
    labels = tf.zeros([4], tf.int64)
    images = tf.random.stateless_uniform([4, *gan.image_shape], [1, 2], -1.0, 1.0)
    found = gan.logits_of(images, labels)
    assert found.shape[0] == 4 and np.ptp(np.reshape(found, [4, -1]).mean(axis=1)) > 1e-7
    if name not in ("progan", "projected"):  # which compare the images of a batch
        np.testing.assert_allclose(found[:2], gan.logits_of(images[:2], labels[:2]), atol=1e-5)
