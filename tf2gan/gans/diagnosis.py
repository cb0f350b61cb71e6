"""Finds faults of a training in what it has logged so far."""
import math
import re

import numpy as np
import tensorflow as tf

from tf2gan.gans import losses

FAULT_STEPS = 500  # a fault is reported when it has lasted this long
START_STEPS = 3000  # the same, for a network that has not yet begun to learn
GAME_STEPS = 1000  # the same, for a game that one player wins: many begin with a discriminator that is far ahead
LEAST_DIVERSITY = 0.05  # of generated images; real images have 1
LEAST_LOSS = 0.001  # of the discriminator; guessing gives 1
# Accuracies of a discriminator that has won, and of one that has learned nothing. Those of patches are low: CycleGAN's
# are right about 57 % in healthy trainings.
SURE, NEVER_SURE = 0.99, 0.53
FAR = 100.0  # a critic's distance that no training with a slope of about 1 reaches
STILL = 0.75  # a least-squares generator loss from here on: most generated images are told; all told give 1

# Of an evaluation: fewer images than these that are no copies, or a discriminator that has learned more by heart. Half
# of what could be further data are no copies, see `metrics.statistics.authenticity`.
LEAST_AUTHENTIC, MOST_OVERFITTING = 0.2, 0.5

# What is searched for, by the quantities that it needs, for people.
CHECKS = {
    "mode collapse": "images of a batch that become equal",
    "discriminator at zero": "a discriminator's loss of zero",
    "discriminator wins": "a discriminator that is right about everything",
    "discriminator learns nothing": "a discriminator that never learns to tell real from generated images",
    "discriminator fooled": "a discriminator that is wrong about everything",
    "critic runs away": "a critic whose distance only grows",
    "penalty not held": "a gradient penalty that stays far from its aim",
    "copies": "samples that are copies of training images",
    "discriminator overfits": "a discriminator that has learned its training images by heart",
    "adversarial terms stand still": "generators that fool no discriminator while other terms fall",
}
OF_LATENT_GANS = ("mode collapse", "discriminator wins", "discriminator learns nothing", "discriminator fooled")
OF_EVALUATIONS = ("copies", "discriminator overfits")
OF_TRANSLATION = ("discriminator wins", "discriminator learns nothing", "discriminator fooled",
                  "adversarial terms stand still")
OF_ONE_WAY = ("discriminator learns nothing",)
_HELP = ("A lower --discriminator-learning-rate, --discriminator-dropout 0.3, --real-label 0.9 or --instance-noise 0.1 "
         "make it less sure, in a new run")


class Log:
    """The log lines of a training, oldest first, as far as a diagnosis asks for them."""

    def __init__(self, history, config):
        self._history, self._config = history, config
        self._start = getattr(config, "pretrain_images", 0)

    def recent(self, steps) -> list:
        """The lines of the last `steps` steps; [] if there have been fewer, or if pretraining was among them."""
        if not self._history:
            return []
        first = self._config.steps_in(self._history[-1]["images"]) - steps
        since = self._config.images_in(max(0, first))
        if first < 0 or since < self._start:
            return []
        return [line for line in self._history if line["images"] > since]

    def lasts(self, fault, steps) -> bool:
        """Whether all lines of the last `steps` steps have the fault."""
        lines = self.recent(steps)
        return bool(lines) and all(map(fault, lines))

    def of_each(self, name, lines=None) -> np.ndarray:
        """The values of a quantity in `lines` (None: all since pretraining) that have it."""
        if lines is None:
            lines = [line for line in self._history if line["images"] > self._start]
        return np.array([line[name] for line in lines if name in line], np.float64)

    def slope(self, name, steps) -> float:
        """By which part a quantity has changed in the last `steps` steps: -0.1 if it fell by a tenth."""
        values = self.of_each(name, self.recent(steps))
        if not len(values):
            return 0.0
        third = max(1, len(values) // 3)
        before, after = values[:third].mean(), values[-third:].mean()
        return float((after - before) / max(abs(before), 1e-12))


def of_latent_gan(history, config, zero_loss) -> dict:
    """{short name: sentence} of the faults of a GAN that makes images from latents.

    Args:
        history: log lines, oldest first.
        config: its Config.
        zero_loss: below this the discriminator's loss counts as zero; None: there is no such value.
    """
    found, log = {}, Log(history, config)
    if not history:
        return found

    def collapsed(line):
        return line.get("diversity", 1.0) < LEAST_DIVERSITY

    # Only diverse images can collapse; some generators need time to begin.
    has_begun = any(line.get("diversity", 0.0) > 4 * LEAST_DIVERSITY for line in history)
    steps = FAULT_STEPS if has_begun else START_STEPS
    if log.lasts(collapsed, steps):
        found["mode collapse"] = (
            f"for {steps} steps the generated images of a batch have been nearly equal (diversity "
            f"{history[-1]['diversity']:.3f}; that of real images is 1): the generator makes one image whatever "
            "the latents are. A lower --generator-learning-rate, --beta-1 0.5, or --loss wasserstein --penalty "
            "wgan-gp often help, in a new run")
    if zero_loss is not None and log.lasts(
            lambda line: line.get("discriminator_loss", math.inf) < zero_loss, FAULT_STEPS):
        found["discriminator at zero"] = (
            f"for {FAULT_STEPS} steps the discriminator has told real from generated images without a doubt (its "
            f"loss is {history[-1]['discriminator_loss']:.4f}), and a generator learns nothing from that. {_HELP}")
    found.update(_game(log, ""))
    found.update(_critic(log, config))
    return found


def of_translation(history, config) -> dict:
    """{short name: sentence} of the faults of a GAN that translates between x and y.

    `history`: log lines, oldest first, with real_accuracy_x, fake_accuracy_x, adversarial_yx (whose discriminator is
    that of x) and so on, least squares.
    """
    found, log = {}, Log(history, config)
    for domain, direction in (("x", "yx"), ("y", "xy")):
        for name, text in _game(log, f"_{domain}", f"adversarial_{direction}").items():
            found.setdefault(name, text)
        name, lines = f"adversarial_{direction}", log.recent(GAME_STEPS)
        others = [key for key in (history[-1] if history else ()) if key.startswith(("cycle_", "identity_"))]
        values = log.of_each(name, lines)
        falling = [key for key in others if log.slope(key, GAME_STEPS) < -0.05] if lines else []
        if len(values) and values.mean() > STILL and log.slope(name, GAME_STEPS) > -0.02 and falling:
            found["adversarial terms stand still"] = (
                f"for {GAME_STEPS} steps the translations into {domain} have hardly fooled their discriminator ({name} "
                f"{_moved(log.slope(name, GAME_STEPS))} and is {values[-1]:.2f}; images that are always told give 1), "
                f"while {', '.join(falling)} fell: the generators learn to copy, not to translate. A larger "
                "--adversarial-weight, or a smaller --cycle-weight and --identity-weight, give the discriminators more "
                "say, in a new run")
    return found


def values_of(line) -> dict:
    """What `of_evaluation` takes, from a line of metrics.jsonl whose names carry protocols."""
    found = {}
    for name, value in line.items():
        metric = re.match(r"(authenticity|overfitting)[0-9]+_", name)
        if metric and not name.endswith("_deviation") and value is not None:
            found[metric.group(1)] = value, line.get(f"{name}_deviation")
    return found


def of_evaluation(values) -> dict:
    """{short name: sentence} of the faults that an evaluation shows.

    `values`: {short name of a metric: (value, its standard error or None)}.
    """
    found = {}
    authentic, _ = values.get("authenticity", (1.0, None))
    if authentic < LEAST_AUTHENTIC:
        found["copies"] = (
            f"only {100 * authentic:.0f} % of the samples are farther from their nearest training image than that is "
            "from its own nearest (of further real images about half are): the generator copies its training images. "
            "More images, --augment diffaugment, or an earlier checkpoint help; look at evaluate --nearest")
    overfitting, deviation = values.get("overfitting", (0.0, None))
    if overfitting > MOST_OVERFITTING and overfitting > 2.0 * (deviation or 0.0):
        found["discriminator overfits"] = (
            f"the discriminator judges real images that were kept from it more like generated ones than like those it "
            f"has learned from (r_v {overfitting:.2f}; 0: no difference, 1: like generated ones), so it knows these by "
            "heart. --augment diffaugment or ada, more images, or fewer steps help")
    return found


def of_one_way(history, config) -> dict:
    """{short name: sentence} of the faults of a GAN that translates in one direction.

    Its discriminator may be right about nearly everything for long: the generator has another loss to learn from.
    """
    found = _game(Log(history, config), "")
    return {name: text for name, text in found.items() if name in OF_ONE_WAY}


def _game(log, suffix, generator_loss="generator_loss"):
    """Faults of the game between two players that a discriminator's accuracy on real and generated images shows."""
    real, fake = f"real_accuracy{suffix}", f"fake_accuracy{suffix}"
    of = f" of {suffix[1:]}" if suffix else ""
    lines = log.recent(GAME_STEPS)
    values = [log.of_each(name, lines) for name in (real, fake)]
    if not len(values[0]) or not len(values[1]):
        return {}
    right = [float(part.mean()) for part in values]
    if min(right) >= SURE:
        change = log.slope(generator_loss, GAME_STEPS)
        return {"discriminator wins": (
            f"for {GAME_STEPS} steps the discriminator{of} has been right about {100 * right[0]:.1f} % of real and "
            f"{100 * right[1]:.1f} % of generated images, while the generator's loss ({generator_loss}) "
            f"{_moved(change)}: the generator learns too little to count. "
            + (_HELP if not suffix else "A lower --learning-rate, in a new run, gives the generators time"))}
    both = (log.of_each(real) + log.of_each(fake)) / 2 if len(log.of_each(real)) == len(log.of_each(fake)) else None
    if both is not None and both.max() <= NEVER_SURE:
        return {"discriminator learns nothing": (
            f"the discriminator{of} has never been right about more than {100 * both.max():.0f} % of images, where "
            "guessing gives 50: the generator has no one to learn from. A higher --discriminator-learning-rate helps, "
            "in a new run")}
    if max(right) <= 1 - SURE:
        return {"discriminator fooled": (
            f"for {GAME_STEPS} steps the discriminator{of} has been right about {100 * right[0]:.1f} % of real and "
            f"{100 * right[1]:.1f} % of generated images: it takes each for the other, and teaches nothing. A higher "
            "--discriminator-learning-rate, or a lower --generator-learning-rate, help in a new run")}
    return {}


def _moved(change):
    if abs(change) < 0.02:
        return "has not moved"
    return f"has {'risen' if change > 0 else 'fallen'} by {100 * abs(change):.0f} %"


def _critic(log, config):
    """Faults of a critic, whose distance between real and generated images must come down in the end."""
    found, lines = {}, log.recent(FAULT_STEPS)
    distances = log.of_each("critic_distance")
    if log.recent(GAME_STEPS // 2) and len(distances) >= 8:
        parts = [part.mean() for part in np.array_split(np.abs(distances), 4)]
        grows = parts == sorted(parts) and parts[-1] > 4 * parts[0] and parts[-1] > 1.5 * parts[-2]
        if grows and parts[-1] > FAR:  # it may well grow at first, and whenever a network grows
            found["critic runs away"] = (
                f"the critic's distance between real and generated images grows all the time, to {distances[-1]:.3g}: "
                "its values have no limit. A penalty that holds (--penalty wgan-gp, --penalty-weight 10), a smaller "
                "--weight-clip, or a lower --discriminator-learning-rate help, in a new run")
    penalties = log.of_each("penalty", lines)
    if len(penalties) and penalties.min() > 5.0 and getattr(config, "penalty_target", 1.0) == 1.0:
        found["penalty not held"] = (
            f"for {FAULT_STEPS} steps the gradient penalty has been above 5 (last {penalties[-1]:.3g}), so the critic "
            "is far from the slope that its loss needs. A larger --penalty-weight holds it, in a new run")
    return found


def zero_loss(config):
    """The value below which a discriminator's loss counts as zero; None if there is no such value."""
    adversarial = losses.ADVERSARIAL[config.loss]
    if adversarial.boundary is None or config.soft_labels or config.label_flips:
        return None
    labels = (config.real_label, config.fake_label) if adversarial.takes_labels else ()
    guess = adversarial.discriminator(tf.fill([1, 1], adversarial.boundary), tf.fill([1, 1], adversarial.boundary),
                                      *labels)
    lowest = 0.0
    if config.loss in ("minimax", "non-saturating"):  # it cannot fall below the entropy of smoothed labels
        lowest = -sum(p * math.log(p) for label in labels for p in (label, 1.0 - label) if p > 0.0)
    return config.discriminator_loss_weight * (lowest + LEAST_LOSS * (float(guess) - lowest))
