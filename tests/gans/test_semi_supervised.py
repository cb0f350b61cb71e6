"""SGAN: whom each update moves and by what, the two readings of the logits, and the classifiers that come of it."""
import types

import noise_gans
import numpy as np
import pytest
import tensorflow as tf
from noise_gans import EPOCH, NO_DROPOUT, SGD, Recorder, batch_of, changed, check_same, copies, steps

from tf2gan.gans import losses
from tf2gan.gans.schedules import EpochDecay

BOTH = {"baseline": True, "fully_supervised": True}
AVERAGES = {"ema_decay": 0.9, "classifier_ema_decay": 0.2}


def make(preset="sgan-book", replicas=1, **changes):
    """A GAN without noise and dropout, unless these are asked for."""
    return noise_gans.make("sgan", preset, replicas, **{**NO_DROPOUT, "discriminator_noise": 0.0, **changes})


def everything(gan):
    parts = noise_gans.state(gan)
    for name, (network, _) in gan.compared.items():
        parts[name] = copies(network.trainable_variables)
        parts[f"statistics of {name}"] = copies(network.non_trainable_variables)
    return {**parts, **{f"average of {name}": copies(network.variables) for name, network in gan.classifiers.items()}}


def only(gan, *kept):
    """`gan` with the other updates of a step left out."""
    for name in {"update_discriminator", "update_jointly", "update_generator", "update_compared"} - set(kept):
        setattr(gan, name, lambda *args, **kwargs: {})
    return gan


def moves(variables, function):
    """What `function()` adds to variables, as one array."""
    before = copies(variables)
    function()
    return np.concatenate([(b - a).ravel() for a, b in zip(before, copies(variables))])


# Who is updated, and by what.

@pytest.mark.parametrize("updates, objective", [("joint", "squared-features"), ("separate", "adversarial")])
def test_each_update_moves_its_own_variables_only(updates, objective):
    """Running a network moves its moving statistics too, whichever player is updated."""
    gan, run = make(updates=updates, generator_objective=objective, **BOTH, **AVERAGES)
    batch, states = batch_of(gan), [everything(gan)]
    of_discriminator = ((gan.update_jointly, batch, 0) if updates == "joint" else
                        (gan.update_discriminator, batch["images"]))
    for function, *args in (of_discriminator, (gan.update_compared, batch, 0),
                            (gan.update_generator, batch["images"]), (only(gan).train_step, batch)):
        run(function, *args)
        states.append(everything(gan))
    found = [changed(*pair) for pair in zip(states, states[1:])]
    statistics = {"statistics of the generator", "statistics of the discriminator"}
    compared = {"baseline", "fully_supervised"}
    separate = updates == "separate"
    assert found == [{"discriminator"} | statistics, compared | {f"statistics of {name}" for name in compared},
                     {"generator"} | statistics,  # and what is left of a step, the update by labels
                     {"discriminator", "statistics of the discriminator"} if separate else set()]
    assert [int(optimizer.iterations.numpy()) for optimizer, _ in gan.optimizers] == [1, 1 + separate, 1, 1]
    assert changed(states[-1], everything(gan)) == set()
    gan.end_step(8)
    averages = {"average", *(f"average of {name}" for name in ("model", *compared))}
    assert changed(states[-1], everything(gan)) == averages


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_a_joint_update_is_the_sum_of_two_gradients(weight):
    """With SGD; a separate one takes the second where the first has led."""
    rates = {**SGD, "discriminator_learning_rate": 0.5, "labelled_loss_weight": weight}
    found, logs = {}, {}
    for updates in ("joint", "separate"):
        for kept in ((), ("update_discriminator", "update_jointly")):
            gan, run = make(updates=updates, **rates)
            variables, batch = gan.discriminator.trainable_variables, batch_of(gan)

            def step():
                logs[updates] = run(only(gan, *kept).train_step, batch)

            found[updates, bool(kept)] = moves(variables, step)
    gan, run = make(**rates)
    of_images = moves(gan.discriminator.trainable_variables, lambda: run(gan.update_discriminator, batch["images"]))
    of_labels, together = found["separate", False], found["joint", True]
    assert not found["joint", False].any() and min(np.abs(part).max() for part in (of_labels, of_images)) > 0.01
    np.testing.assert_allclose(together, of_images + weight * of_labels, atol=1e-6)
    assert np.abs(found["separate", True] - of_images - of_labels).max() > 1e-4
    gan, run = make(updates="separate", **rates)
    first = moves(gan.discriminator.trainable_variables, lambda: run(only(gan).train_step, batch))
    del gan.update_discriminator
    then = moves(gan.discriminator.trainable_variables, lambda: run(gan.update_discriminator, batch["images"]))
    np.testing.assert_allclose(found["separate", True], first + then, atol=1e-6)
    for name in ("labelled_loss", "labelled_accuracy"):  # as it is, without its weight
        assert float(logs["joint"][name]) == pytest.approx(float(logs["separate"][name]))


@pytest.mark.parametrize("fake_class", [False, True])
def test_losses_of_the_discriminator_are_what_the_papers_say(fake_class):
    """-log p(y | x), and the mean of -log D(x) and -log(1 - D(G(z))), by the naive formulas in float64."""
    gan, run = make(fake_class=fake_class, updates="joint")
    batch = batch_of(gan)
    generated = gan.generator(run(gan.training_latents, 8, "discriminator_latents0"), training=True)
    labelled, real, fake = (np.exp(gan.discriminator(images, training=True).numpy().astype(np.float64))
                            for images in (batch["labelled_images"], batch["images"], generated))
    # Probabilities of "fake".
    real, fake = ((each[:, 3] if fake_class else 1) / (each.sum(axis=1) + (not fake_class)) for each in (real, fake))
    labelled = labelled[:, :3] / labelled[:, :3].sum(axis=1, keepdims=True)
    logs = {name: float(value) for name, value in run(gan.train_step, batch).items()}
    right = labelled[np.arange(8), batch["labels"]]
    assert logs["labelled_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    assert logs["labelled_accuracy"] == np.mean(labelled.argmax(axis=1) == batch["labels"])
    assert logs["discriminator_loss"] == pytest.approx(-(np.log(1 - real) + np.log(fake)).mean() / 2, rel=1e-5)
    assert (logs["real_accuracy"], logs["fake_accuracy"]) == (np.mean(real < 0.5), np.mean(fake >= 0.5))


@pytest.mark.parametrize("objective", ["l1-features", "squared-features"])
def test_feature_matching_by_hand(objective):
    """Loss and, with SGD of rate 1, the generator's gradient; the discriminator's weights have none."""
    gan, run = make(generator_objective=objective, **SGD, generator_learning_rate=1.0)
    images, latents = batch_of(gan)["images"], gan.latents(8, 0)
    gan.training_latents = lambda num, purpose: latents
    variables, judge = gan.generator.trainable_variables, copies(gan.discriminator.trainable_variables)
    real = tf.reduce_mean(gan.discriminator.features(images, training=True), axis=0).numpy()
    with tf.GradientTape() as tape:
        fake = gan.discriminator.features(gan.generator(latents, training=True), training=True)
        fake = tf.reduce_mean(fake, axis=0)
    difference = fake.numpy() - real
    slope = np.sign(difference) if objective == "l1-features" else 2 * difference
    gradients = tape.gradient(fake, variables, output_gradients=tf.constant(slope / len(real), tf.float32))
    expected = -np.concatenate([tf.convert_to_tensor(gradient).numpy().ravel() for gradient in gradients])
    logs = []
    moved = moves(variables, lambda: logs.append(run(gan.update_generator, images)))
    loss = np.abs(difference) if objective == "l1-features" else difference ** 2
    assert float(logs[0]["generator_loss"]) == pytest.approx(loss.mean(), rel=1e-5)
    np.testing.assert_allclose(moved, expected, atol=1e-6)
    assert np.abs(moved).max() > 1e-4
    for before, after in zip(judge, copies(gan.discriminator.trainable_variables)):
        np.testing.assert_array_equal(before, after)


def test_the_adversarial_objective_is_that_of_the_loss():
    gan, run = make()
    fake = gan.generator(run(gan.training_latents, 8, "generator_latents"), training=True)
    expected = float(losses.non_saturating_generator(run(gan.judge, fake, training=True)))
    assert float(run(gan.update_generator, batch_of(gan)["images"])["generator_loss"]) == pytest.approx(expected)


def test_eleven_logits_and_ten_are_the_same_gan():
    """Where the ten are the eleven less that of "fake": losses, gradients of all layers before the last, classes."""
    pair = [make(fake_class=fake, **SGD, discriminator_learning_rate=1.0) for fake in (True, False)]
    eleven, ten = (gan for gan, _ in pair)
    eleven.discriminator.to_logits.bias.assign([0.1, -0.2, 0.3, 0.4])
    shared = []
    for weight, target in zip(eleven.discriminator.get_weights(), ten.discriminator.variables):
        shared.append(weight.shape == tuple(target.shape))
        target.assign(weight if shared[-1] else weight[..., :3] - weight[..., 3:])
    assert len(shared) - sum(shared) == 2
    batch, found = batch_of(ten), []
    for gan, run in pair:
        *body, kernel, bias = gan.discriminator.trainable_variables
        assert kernel.shape[-1] == bias.shape[-1] == 3 + gan.config.fake_class

        def loss_fn():
            labelled, _ = gan.labelled_loss(gan.discriminator, batch["labelled_images"], batch["labels"], 0)
            unlabelled, _ = gan.discriminator_loss(batch["images"], batch["labelled_images"])
            return labelled + unlabelled, (labelled, unlabelled)

        found.append([run(gan.judge, batch["images"]), gan.classify(batch["images"])])
        moved = moves(body, lambda: found[-1].extend(run(gan.minimize, loss_fn, gan.discriminator_optimizer, body)[1]))
        found[-1].append(moved)
    assert len(body) == 10 and np.abs(moved).max() > 0.01
    for first, second in zip(*found):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=2e-6)


# One replica or many.

@pytest.mark.parametrize("preset, changes", [
    ("sgan-dense", {"generator_learning_rate": 10.0}),  # at first features are small, and with them gradients
    ("sgan-book", {"n_critic": 2, "labelled_shift": 1}),
    ("sgan-features", {"image_size": "24", "instance_noise": 0.2, "gradient_clip": 1.0})])
def test_replicas_make_the_same_update(preset, changes):
    """Features are averaged over the images of all replicas, or it would not be the same."""
    results = {}
    for replicas in (1, 2):
        gan, _ = make(preset, replicas, **{**SGD, **BOTH, **AVERAGES, "generator_learning_rate": 0.01,
                                           "discriminator_learning_rate": 0.01, **changes})
        before = everything(gan)
        logs = steps(gan, 2)
        results[replicas] = everything(gan), logs
    one, _ = results[1]
    for part in ("generator", "discriminator", *BOTH, "average of model"):
        assert max(np.abs(a - b).max() for a, b in zip(before[part], one[part])) > 1e-4, "else this would mean nothing"
    check_same(results)


# What is compared.

def test_the_baseline_is_shown_the_very_images_whose_labels_the_gan_knows():
    gan, run = make(n_critic=2, **BOTH)
    gan.labelled_loss = Recorder(gan.labelled_loss)
    batches = [batch_of(gan, seed) for seed in range(2)]
    assert batches[0].keys() == {"images", "labelled_images", "labels", "supervised_images", "supervised_labels"}
    run(gan.train_step, *batches)
    shown = {}
    for network, images, labels, *_ in gan.labelled_loss.calls:
        shown.setdefault(id(network), []).append((images.numpy(), labels.numpy()))
    networks = [gan.discriminator, *(network for network, _ in gan.compared.values())]
    for network, kind in zip(networks, ("labelled_images labels", "labelled_images labels",
                                        "supervised_images supervised_labels")):
        for seen, batch in zip(shown.pop(id(network)), batches):
            for values, name in zip(seen, kind.split()):
                np.testing.assert_array_equal(values, batch[name])
    assert not shown


def test_what_is_compared_depends_on_nothing_of_the_gan():
    """Nor on the weight that the labels have beside the rest of its loss."""
    moved = []
    for changes in ({}, {"labelled_loss_weight": 3.0, "generator_objective": "adversarial", "instance_noise": 0.5}):
        gan, _ = make("sgan-features", image_size="24", updates="joint", **SGD, **BOTH, **changes)
        networks = [network for network, _ in gan.compared.values()]
        moved.append(moves([v for network in networks for v in network.trainable_variables], lambda: steps(gan, 1)))
    np.testing.assert_array_equal(*moved)
    assert np.abs(moved[0]).max() > 1e-6


def test_labelled_images_are_moved_at_random():
    """By up to 2 pixels both ways, each by itself and anew in each step; other images are left alone."""
    gan, run = make(labelled_shift=2, batch_size=200, baseline=True)
    rows, columns = np.mgrid[:8, :8]
    images = tf.constant(np.tile((rows + 10 * columns)[None, :, :, None] / 10, [200, 1, 1, 1]), tf.float32)
    seen, batch = [], {**batch_of(gan), "labelled_images": images}
    inner = gan.discriminator
    gan.discriminator = Recorder(inner)
    gan.discriminator.trainable_variables = inner.trainable_variables
    for number in (0, 1, 0):
        run(gan.labelled_loss, gan.discriminator, batch["labelled_images"], batch["labels"], number)
        places = gan.discriminator.calls[-1][0].numpy()[:, 3, 3, 0] * 10
        seen.append((np.rint(places % 10) - 3 + 1j * (places // 10 - 3)).astype(complex))
    assert sorted(set(seen[0].real)) == sorted(set(seen[0].imag)) == [-2, -1, 0, 1, 2] and len(set(seen[0])) == 25
    assert (seen[0] != seen[1]).mean() > 0.8 and (seen[0] == seen[2]).all()
    run(gan.update_discriminator, batch["images"])
    np.testing.assert_array_equal(gan.discriminator.calls[3][0], batch["images"])


def test_every_forward_pass_has_its_own_dice():
    gan, run = make("sgan-dense", n_critic=2, discriminator_noise=0.5, instance_noise=0.1, labelled_shift=2, **BOTH)
    gan.seed_for, gan.draw = Recorder(gan.seed_for), Recorder(gan.draw)
    run(gan.train_step, *[batch_of(gan)] * 2)
    seeds, draws = [purpose for purpose, in gan.seed_for.calls], [purpose for *_, purpose in gan.draw.calls]
    assert len(set(seeds)) == len(seeds) == 2 * 6 + 3 and len(set(draws)) == len(draws) == 2 * 6 + 3


def test_pretraining_leaves_only_the_generator_alone():
    gan, _ = make(pretrain_images=8, **BOTH, **AVERAGES)
    start = everything(gan)
    logs = steps(gan, 1)[0]
    assert "generator_loss" not in logs and {"labelled_loss", "baseline_loss", "fully_supervised_loss"} < logs.keys()
    assert {"discriminator", "baseline", "fully_supervised"} < changed(start, everything(gan)) - {"generator"}
    assert "generator" not in changed(start, everything(gan)) and "generator_loss" in steps(gan, 1)[0]


# Classifying.

def test_classifiers_are_averages_of_their_own_decay():
    gan, _ = make("sgan-features", image_size="24", discriminator_learning_rate=0.01, **BOTH, **AVERAGES)
    networks = {"model": gan.discriminator, **{name: network for name, (network, _) in gan.compared.items()}}
    expected = {name: network.get_weights() for name, network in networks.items()}
    for step in range(1, 5):
        steps(gan, 1)
        decay = min(0.2, (1 + step) / (10 + step))
        for name, network in networks.items():
            expected[name] = [decay * a + (1 - decay) * b for a, b in zip(expected[name], network.get_weights())]
    images, twin = batch_of(gan)["images"], gan.make_discriminator("twin")
    found = []
    for name in networks:
        twin(images)
        twin.set_weights(expected[name])
        logits = twin(images).numpy().astype(np.float64)[:, :3]  # without that of "fake"
        found.append(gan.classify(images, name).numpy())
        assert found[-1].shape == (8, 3) and found[-1].dtype == np.float32
        np.testing.assert_allclose(found[-1], np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-5)
    assert all(np.abs(found[i] - found[i - 1]).max() > 1e-4 for i in range(3))
    np.testing.assert_array_equal(gan.classify(images), found[0])


@pytest.mark.parametrize("objective, found", [("adversarial", {"discriminator at zero"}), ("l1-features", set()),
                                              ("squared-features", set())])
def test_a_sure_discriminator_is_a_fault_where_the_generator_is_to_fool_it(objective, found):
    gan, _ = make(generator_objective=objective)
    logs = [{"images": 50 * (i + 1) * 8, "diversity": 0.9, "discriminator_loss": 1e-6} for i in range(12)]
    assert set(gan.diagnose(logs)) == found


def test_without_averages_the_trained_networks_classify():
    gan, _ = make(baseline=True)
    assert gan.classifiers == {"model": gan.discriminator, "baseline": gan.compared["baseline"][0]}
    assert gan.networks.keys() == {"generator", "discriminator", "baseline"}


# Learning rates.

@pytest.mark.parametrize("images, epochs", [(0, 0), (49, 0), (50, 1), (99, 1), (100, 2), (1234, 24)])
def test_epoch_decay(images, epochs):
    gan = types.SimpleNamespace(images_seen=tf.Variable(images, dtype=tf.int64), epoch_images=50)
    assert float(EpochDecay(3e-4, 0.9, gan)(step=7)) == pytest.approx(3e-4 * 0.9 ** epochs, rel=1e-5)


def test_optimizers_follow_the_epochs():
    """An update by labels has no dice, so that with SGD it is as long as the rate has it."""
    sizes = []
    for seen in (0, EPOCH - 8, EPOCH, 3 * EPOCH):
        gan, run = make(epoch_decay=0.5, **SGD, baseline=True)
        gan.images_seen.assign(seen)
        variables, batch = gan.compared["baseline"][0].trainable_variables, batch_of(gan)
        sizes.append(np.linalg.norm(moves(variables, lambda: run(gan.update_compared, batch, 0))))
    assert sizes[0] > 0 and np.array(sizes) / sizes[0] == pytest.approx([1, 1, 0.5, 0.125], rel=1e-4)
