"""Finds faults of a training in what it has logged so far."""
import math

import tensorflow as tf

from tf2gan.gans import losses

FAULT_STEPS = 500  # a fault is reported when it has lasted this long
START_STEPS = 3000  # the same, for a network that has not yet begun to learn
LEAST_DIVERSITY = 0.05  # of generated images; real images have 1
LEAST_LOSS = 0.001  # of the discriminator; guessing gives 1


def of_latent_gan(history, config, zero_loss) -> dict:
    """{short name: sentence} of the faults of a GAN that makes images from latents.

    Args:
        history: log lines, oldest first.
        config: its Config.
        zero_loss: below this the discriminator's loss counts as zero; None: there is no such value.
    """
    found = {}

    def lasts(fault, steps):
        """Whether all log lines of the last `steps` steps have the fault."""
        first = config.steps_in(history[-1]["images"]) - steps
        since = config.images_in(max(0, first))
        return first >= 0 and since >= config.pretrain_images and all(
            fault(line) for line in history if line["images"] > since)

    def collapsed(line):
        return line.get("diversity", 1.0) < LEAST_DIVERSITY

    # Only diverse images can collapse; some generators need time to begin.
    has_begun = any(line.get("diversity", 0.0) > 4 * LEAST_DIVERSITY for line in history)
    steps = FAULT_STEPS if has_begun else START_STEPS
    if lasts(collapsed, steps):
        found["mode collapse"] = (
            f"for {steps} steps the generated images of a batch have been nearly equal (diversity "
            f"{history[-1]['diversity']:.3f}; that of real images is 1): the generator makes one image whatever "
            "the latents are. A lower --generator-learning-rate, --beta-1 0.5, or --loss wasserstein --penalty "
            "wgan-gp often help, in a new run")
    if zero_loss is not None and lasts(lambda line: line["discriminator_loss"] < zero_loss, FAULT_STEPS):
        found["discriminator at zero"] = (
            f"for {FAULT_STEPS} steps the discriminator has told real from generated images without a doubt (its "
            f"loss is {history[-1]['discriminator_loss']:.4f}), and a generator learns nothing from that. A lower "
            "--discriminator-learning-rate, --discriminator-dropout 0.3, --real-label 0.9 or --instance-noise 0.1 "
            "make it less sure, in a new run")
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
