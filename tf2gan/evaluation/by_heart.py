"""Whether a discriminator has learned its training images by heart, seen by images that were kept back."""
import numpy as np
import tensorflow as tf

from tf2gan.core import images
from tf2gan.evaluation import image_sets, results
from tf2gan.gans import losses
from tf2gan.metrics.values import Figure
from tf2gan.models import generation

FIGURES = ("overfitting", "real_sign_train", "real_sign_held_out")


def watch(gan, sets, num, label, weights):
    """A function from the GAN to the Figures of its discriminator, by Karras et al. 2020 (2006.06676), eq. 1.

    `overfitting` is r_v = (E[D(train)] - E[D(held out)]) / (E[D(train)] - E[D(generated)]): 0 if it judges images that
    it has not learned from like those that it has, 1 if like generated ones; its deviation is its standard error. The
    other two are r_t = E[sign(D)] on images of both kinds, for a loss whose logits have a sign. All images are seen as
    they are, without augmentation.

    Args:
        sets: {"train": ImageSet, "held_out": ImageSet}, read at once; of each, at most `num` images are used.
        label, weights: see `results.figure_name`.
    """
    real = {name: _read(part, num) for name, part in sets.items()}
    boundary = losses.ADVERSARIAL[gan.config.loss].boundary
    least = min(len(pictures) for pictures, _ in real.values())

    def figure(metric, value, deviation=None):
        return Figure(metric, results.figure_name(metric, least, label, None, weights), float(value), deviation)

    def measure(gan):
        logits_of = tf.function(gan.logits_of, autograph=False)  # anew: a growing GAN's is that of its level
        made = image_sets.generated(generation.Sampler.from_gan(gan), num, 0)
        logits = {name: _logits(logits_of, *part) for name, part in {**real, "generated": _read(made, num)}.items()}
        train, held_out, generated = (logits[name] for name in ("train", "held_out", "generated"))
        lead = train.mean() - generated.mean()
        gap = train.mean() - held_out.mean()
        spread = np.sqrt(train.var() / len(train) + held_out.var() / len(held_out))
        # Where generated images are taken for real, there is nothing that could be known by heart.
        found = [figure("overfitting", *((gap / lead, float(spread / lead)) if lead > 0 else (0.0, None)))]
        if boundary is not None:
            found += [figure(f"real_sign_{name}", np.sign(logits[name] - boundary).mean()) for name in real]
        return found

    return measure


def _read(part, num):
    """(uint8 images, their labels or None) of an ImageSet, at most `num`."""
    pictures, labels = [], []
    for batch, of_batch in part.batches():
        pictures.append(batch)
        if of_batch is not None:
            labels.append(of_batch)
        if sum(map(len, pictures)) >= num:
            break
    return np.concatenate(pictures)[:num], np.concatenate(labels)[:num] if labels else None


def _logits(logits_of, pictures, labels):
    """The mean logit of each image, float64 [n]."""
    size, found = image_sets.batch_size(pictures.shape[1:]), []
    for start in range(0, len(pictures), size):
        batch = images.from_uint8(pictures[start:start + size])
        of_batch = None if labels is None else tf.constant(labels[start:start + size], tf.int64)
        logits = tf.cast(logits_of(tf.constant(batch), of_batch), tf.float64).numpy()
        found.append(logits.reshape([len(batch), -1]).mean(axis=1))
    return np.concatenate(found)
