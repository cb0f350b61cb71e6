"""What a run is warned of: a pure function of what was logged, and once on a real collapse."""
import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans import GANS
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import build_gan, compile_steps
from tf2gan.training.options import Options

COLLAPSE, ZERO = "mode collapse", "discriminator at zero"
EVERY = 50  # steps between log lines


class Judge:
    """`diagnose` with a configuration and nothing else: no network is needed for it."""

    diagnose, zero_loss = LatentGAN.diagnose, LatentGAN.zero_loss

    def __init__(self, name="gan", **changes):
        self.config = dataclasses.replace(GANS[name].presets[name], batch_size=10, **changes)


def history(diversity=(), losses=None, size=10, start=0):
    """Log lines, every 50 steps, of these values; the other quantity is without fault."""
    num = len(diversity) or len(losses)
    return [{"images": start + (i + 1) * EVERY * size, "diversity": diversity[i] if len(diversity) else 0.9,
             "discriminator_loss": losses[i] if losses is not None else 0.6, "generator_loss": 1.0} for i in range(num)]


def lines(steps, value):
    return [value] * (steps // EVERY)


def found(values, **changes):
    return set(Judge(**changes).diagnose(history(values)))


# Mode collapse.

@pytest.mark.parametrize("values, expected", [
    (lines(1000, 0.8), set()),
    (lines(1000, 0.8) + lines(500, 0.01), {COLLAPSE}),
    (lines(1000, 0.8) + lines(450, 0.01), set()),
    (lines(1000, 0.8) + lines(450, 0.01) + [0.06] + lines(450, 0.01), set()),  # a dip that did not last
    (lines(1000, 0.8) + lines(500, 0.01) + [0.06], set()),  # and one that is over
    (lines(1000, 0.8) + lines(500, 0.06), set()),
    ([0.21] + lines(500, 0.01), {COLLAPSE}),
    ([0.19] + lines(500, 0.01), set()),  # has not begun yet
    (lines(2950, 0.01), set()),
    (lines(3000, 0.01), {COLLAPSE}),
    ([0.19] + lines(2950, 0.01), set()),
    ([0.19] + lines(3000, 0.01), {COLLAPSE}),
])
def test_mode_collapse(values, expected):
    assert found(values) == expected


def test_steps_are_counted_in_images():
    """5 updates a step use 5 batches: so many images are 500 steps of 10 but 100 of 50."""
    values = lines(1000, 0.8) + lines(500, 0.01)
    assert found(values, n_critic=5) == set()
    judge = Judge(n_critic=5)
    assert set(judge.diagnose(history(values, size=50))) == {COLLAPSE}


def test_a_log_line_may_stand_for_more_steps_than_a_fault_needs():
    judge = Judge()
    for diversity, expected in ((0.01, {COLLAPSE}), (0.8, set())):
        logs = [{"images": 10 * 4000 * (i + 1), "diversity": value, "discriminator_loss": 0.6}
                for i, value in enumerate([0.8, diversity])]
        assert set(judge.diagnose(logs)) == expected


def test_without_diversity_there_is_no_collapse():
    """One image a replica has none."""
    logs = [{"images": line["images"], "discriminator_loss": 0.6} for line in history(lines(4000, 0.0))]
    assert Judge().diagnose(logs) == {}


def test_nothing_is_said_of_pretraining():
    """The generator is not trained then: 500 steps of fault must lie behind it."""
    values = lines(1000, 0.8) + lines(500, 0.01)
    assert found(values, pretrain_images=10 * 1000) == {COLLAPSE}
    assert found(values, pretrain_images=10 * 1050) == set()


@pytest.mark.parametrize("num", [1, 5])
def test_short_histories(num):
    assert Judge().diagnose(history([0.0] * num, [0.0] * num)) == {}


# The discriminator's loss.

def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p) if 0 < p < 1 else 0.0


@pytest.mark.parametrize("changes, lowest, guess", [
    ({}, 0.0, 2 * math.log(2)),
    ({"loss": "minimax"}, 0.0, 2 * math.log(2)),
    ({"discriminator_loss_weight": 1.0}, 0.0, 2 * math.log(2)),
    ({"real_label": 0.9}, entropy(0.9), 2 * math.log(2)),
    ({"real_label": 0.9, "fake_label": 0.2}, entropy(0.9) + entropy(0.2), 2 * math.log(2)),
    ({"loss": "least-squares"}, 0.0, 0.25),
    ({"loss": "least-squares", "real_label": 0.9}, 0.0, (0.4 ** 2 + 0.5 ** 2) / 2),
    ({"loss": "hinge"}, 0.0, 2.0),
    ({"name": "sgan", "discriminator_loss_weight": 1.0}, 0.0, 2 * math.log(2)),  # whose loss on labels is another one
])
def test_discriminator_at_zero(changes, lowest, guess):
    """Zero is a thousandth of what guessing costs, above the least that the labels allow."""
    weight = changes.get("discriminator_loss_weight", 0.5)
    for part, expected in ((0.0005, {ZERO}), (0.002, set())):
        loss = weight * (lowest + part * (guess - lowest))
        judge = Judge(**changes)
        assert set(judge.diagnose(history(losses=lines(500, 0.6) + lines(500, loss)))) == expected
        assert judge.diagnose(history(losses=lines(500, 0.6) + lines(450, loss))) == {}
        assert judge.diagnose(history(losses=lines(500, loss) + [0.6])) == {}


@pytest.mark.parametrize("name, changes", [
    ("wgan", {}), ("gan", {"loss": "wasserstein", "penalty": "wgan-gp"}), ("gan", {"soft_labels": True}),
    ("gan", {"label_flips": 0.1})])
def test_no_zero_where_it_means_nothing(name, changes):
    """A critic's loss may be anything, far below 0 too; random labels have no fixed least loss."""
    assert Judge(name, **changes).diagnose(history(losses=lines(3000, 0.0), size=50)) == {}
    assert Judge(name, **changes).diagnose(history(losses=lines(3000, -100.0), size=50)) == {}


def test_messages_are_of_one_line_with_what_helps():
    faults = Judge().diagnose(history(lines(1000, 0.8) + lines(500, 0.0123), lines(1500, 1e-5)))
    assert set(faults) == {COLLAPSE, ZERO}
    assert "500 steps" in faults[COLLAPSE] and "0.012" in faults[COLLAPSE]
    assert "--generator-learning-rate" in faults[COLLAPSE]
    assert "500 steps" in faults[ZERO] and "0.0000" in faults[ZERO] and "--instance-noise" in faults[ZERO]
    assert "\n" not in "".join(faults.values())


# In a training.

def trained(steps, blind_after=None, **changes):
    """History of a tiny GAN on noise images, logged every 50 steps; then its generator becomes blind to its latents."""
    config = dataclasses.replace(GANS["gan"].Config(), image_size="4", channels=1, latent_size=4, batch_size=8,
                                 generator_widths="8", discriminator_widths="8", ema_decay=None, **changes)
    strategy = make_strategy(Options())
    gan = build_gan(GANS["gan"], config, 8 * steps, strategy)
    data = np.random.default_rng(0).uniform(-1, 1, [64, 4, 4, 1]).astype(np.float32)
    dataset = tf.data.Dataset.from_tensor_slices({"images": data}).repeat().batch(8, drop_remainder=True)
    iterator = iter(strategy.experimental_distribute_dataset(dataset))
    run, history = compile_steps(gan, strategy, gan.phase()), []
    for step in range(0, steps, EVERY):
        if step == blind_after:
            kernel = gan.generator.hidden[0].kernel
            kernel.assign(tf.zeros_like(kernel))  # all latents make the same image; the biases have gradients still
        logs = run(iterator, tf.constant(EVERY))
        history.append({"images": int(gan.images_seen.numpy()), **logs})
    return gan, history


def test_a_collapse_shows_in_the_log():
    """Forced: a generator that no longer sees its latents, and learns too slowly to see them again."""
    gan, history = trained(700, blind_after=150, generator_learning_rate=1e-7)
    assert [COLLAPSE in gan.diagnose(history[:n]) for n in (3, 12, 13, 14)] == [False, False, True, True]
    assert min(line["diversity"] for line in history[:3]) > 0.2
    assert max(line["diversity"] for line in history[3:]) < 0.05


def test_a_discriminator_that_wins_shows_in_the_log():
    """Forced: images that are all far from what the generator can reach without learning."""
    gan, history = trained(1000, generator_learning_rate=0.0, discriminator_learning_rate=0.05,
                           latent_distribution="uniform")
    assert ZERO in gan.diagnose(history)
    assert ZERO not in gan.diagnose(history[:5])
