"""What a run is warned of: a pure function of what was logged, and once on a real collapse."""
import dataclasses
import json
import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.gans import GANS, cyclegan, diagnosis
from tf2gan.gans.latent_gan import LatentGAN
from tf2gan.runs.record import from_record
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


# The game between the players.

def game(real, fake, loss=None, suffix="", generator="generator_loss"):
    """Log lines, every 50 steps, with these accuracies and losses of the generator."""
    return [{"images": (i + 1) * EVERY * 10, "diversity": 0.9, "discriminator_loss": 0.6,
             f"real_accuracy{suffix}": real[i], f"fake_accuracy{suffix}": fake[i],
             generator: 1.0 if loss is None else loss[i]} for i in range(len(real))]


WINS, NOTHING, FOOLED = "discriminator wins", "discriminator learns nothing", "discriminator fooled"


@pytest.mark.parametrize("real, fake, expected", [
    (lines(1000, 1.0), lines(1000, 1.0), {WINS}),
    (lines(950, 1.0), lines(950, 1.0), set()),
    (lines(1000, 0.8) + lines(1000, 1.0), lines(1000, 0.8) + lines(1000, 0.995), {WINS}),
    (lines(1000, 1.0), lines(1000, 0.98), set()),
    (lines(1000, 1.0) + lines(500, 0.8), lines(1000, 1.0) + lines(500, 0.8), set()),  # it was ahead, and is no more
    (lines(1000, 0.5), lines(1000, 0.5), {NOTHING}),
    (lines(1000, 0.0), lines(1000, 1.0), {NOTHING}),
    (lines(50, 0.9) + lines(1000, 0.5), lines(50, 0.9) + lines(1000, 0.5), set()),  # a game that is even
    (lines(50, 0.9) + lines(1000, 0.0), lines(50, 0.9) + lines(1000, 0.005), {FOOLED}),
])
def test_who_wins(real, fake, expected):
    assert set(Judge().diagnose(game(real, fake))) == expected


def test_what_is_said_of_a_discriminator_that_wins():
    rising = [5.0 + i / 10 for i in range(20)]
    text = Judge().diagnose(game(lines(1000, 1.0), lines(1000, 0.999), rising))[WINS]
    assert "100.0 % of real and 99.9 % of generated images" in text and "has risen by" in text and "\n" not in text
    assert "has not moved" in Judge().diagnose(game(lines(1000, 1.0), lines(1000, 1.0)))[WINS]


class Translating(Judge):
    diagnose = cyclegan.CycleGAN.diagnose

    def __init__(self):
        self.config = cyclegan.Config(batch_size=10)


def translation(adversarial, cycle, accuracy=0.9):
    return [{**line, "adversarial_xy": adversarial[i], "adversarial_yx": 0.5, "cycle_x": cycle[i]}
            for i, line in enumerate(game([accuracy] * len(cycle), [accuracy] * len(cycle), suffix="_y"))]


STILL = "adversarial terms stand still"
FALLING = [1.0 - i / 40 for i in range(20)]


@pytest.mark.parametrize("adversarial, cycle, expected", [
    (lines(1000, 0.95), FALLING, {STILL}),
    (lines(1000, 0.95), lines(1000, 0.5), set()),  # nothing is learned instead
    (lines(1000, 0.6), FALLING, set()),
    ([0.95 - i / 100 for i in range(20)], FALLING, set()),  # it falls too
    (lines(1000, 0.95), [1.0 - i / 1000 for i in range(20)], set()),  # nothing falls to speak of
    (lines(950, 0.95), FALLING[:19], set()),
])
def test_a_cycle_loss_that_falls_alone(adversarial, cycle, expected):
    assert set(Translating().diagnose(translation(adversarial, cycle))) == expected


def test_a_discriminator_of_one_domain_that_wins():
    found = Translating().diagnose(translation(lines(1000, 0.5), FALLING, accuracy=1.0))
    assert set(found) == {WINS} and "discriminator of y" in found[WINS] and "adversarial_xy" in found[WINS]


@pytest.mark.parametrize("distances, expected", [
    ([10 * 1.1 ** i for i in range(40)], {"critic runs away"}),
    ([0.1 * 1.1 ** i for i in range(40)], set()),
    ([10.0 * 0.97 ** i for i in range(40)], set()),
    ([min(i, 10) for i in range(40)], set()),  # it grows, and then stays
])
def test_a_critic_without_limit(distances, expected):
    judge = Judge("wgan")
    logs = [{**line, "critic_distance": distances[i]} for i, line in enumerate(history(lines(2000, 0.8), size=50))]
    for line in logs:
        del line["discriminator_loss"]
    assert set(judge.diagnose(logs)) == expected


@pytest.mark.parametrize("penalty, expected", [(20.0, {"penalty not held"}), (0.3, set())])
def test_a_penalty_that_is_not_held(penalty, expected):
    logs = [{**line, "penalty": penalty} for line in history(lines(1000, 0.8))]
    assert set(Judge(loss="wasserstein", penalty="wgan-gp").diagnose(logs)) == expected


@pytest.mark.parametrize("name", ["gan", "wgan", "wgan-gp", "sgan", "progan", "cgan"])
def test_what_is_searched_for_is_told(name):
    class Any(LatentGAN):
        def __init__(self, config):
            self.config = config

    model, preset = GANS.names()[name]
    gan = Any.__new__(Any)
    object.__setattr__(gan, "config", GANS[model].presets[preset])
    told = gan.checked()
    assert diagnosis.CHECKS["mode collapse"] in told and len(set(told)) == len(told)
    assert (diagnosis.CHECKS["critic runs away"] in told) == (name in ("wgan", "wgan-gp", "progan"))


# Logs of real runs, made to fail in ten ways or left as they are; see logs/README.md for their commands.

LOGS = sorted((pathlib.Path(__file__).parent / "logs").glob("*.json"))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_runs_that_failed_are_told_from_those_that_did_not(path):
    record = json.loads(path.read_text())
    gan_class, config = from_record(record)
    judge = gan_class.__new__(gan_class)
    object.__setattr__(judge, "config", config)
    logs = [dict(zip(record["names"], values)) for values in record["lines"]]
    found = set()
    for end in range(1, len(logs) + 1):
        found |= set(judge.diagnose(logs[:end]))
    assert found == set(record["expected"])


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
