"""What a discriminator has learned by heart, on logits that are known."""
import types

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.evaluation import by_heart, image_sets
from tf2gan.gans import diagnosis
from tf2gan.models import generation


def pictures(levels, labels=None, size=8):
    """An ImageSet of one colour each."""
    images = np.stack([np.full([size, size, 1], level, np.uint8) for level in levels])
    return image_sets.ImageSet("set", len(images), images.shape[1:], lambda: iter([(images, labels)]))


class Judge:
    """Stands in for a GAN: the logit of an image is its grey level, in [-1, 1], plus its label."""

    config = types.SimpleNamespace(loss="non-saturating")

    def logits_of(self, images, labels=None):
        logits = tf.reduce_mean(images, axis=[1, 2, 3])[:, None]
        return logits if labels is None else logits + tf.cast(labels, tf.float32)[:, None]


def measured(monkeypatch, train, held_out, generated, gan=None, labels=None):
    gan, labels = gan or Judge(), labels or {}
    monkeypatch.setattr(generation.Sampler, "from_gan", classmethod(lambda cls, gan: None))
    monkeypatch.setattr(image_sets, "generated", lambda sampler, num, seed: pictures(generated, labels.get("generated")))
    sets = {"train": pictures(train, labels.get("train")), "held_out": pictures(held_out, labels.get("held_out"))}
    watch = by_heart.watch(gan, sets, 50, "data-train", "averaged")
    return {figure.metric: figure for figure in watch(gan)}


@pytest.mark.parametrize("held_out, expected", [(204, 0.0), (51, 1.0), (128, 0.5)])
def test_overfitting_is_where_held_out_images_stand(monkeypatch, held_out, expected):
    found = measured(monkeypatch, [204] * 9, [held_out] * 4, [51] * 9)
    assert found["overfitting"].value == pytest.approx(expected, abs=0.01)
    assert found["overfitting"].deviation == pytest.approx(0.0, abs=1e-6)
    assert found["overfitting"].name == "overfitting4_data-train"
    assert found["real_sign_train"].value == 1.0
    assert found["real_sign_held_out"].value == (-1.0 if held_out == 51 else 1.0)


def test_its_deviation_is_a_standard_error(monkeypatch):
    dice = np.random.default_rng(0)
    train, held_out = dice.integers(100, 255, 40), dice.integers(50, 200, 12)
    found = measured(monkeypatch, train, held_out, [0] * 40)
    logits = [levels / 127.5 - 1.0 for levels in (train, held_out)]
    spread = np.sqrt(sum(part.var() / len(part) for part in logits))
    assert found["overfitting"].deviation == pytest.approx(spread / (logits[0].mean() + 1.0), rel=1e-4)


def test_no_lead_nothing_by_heart(monkeypatch):
    found = measured(monkeypatch, [10] * 3, [200] * 3, [100] * 3)
    assert (found["overfitting"].value, found["overfitting"].deviation) == (0.0, None)


def test_labels_reach_the_discriminator(monkeypatch):
    labels = {"train": np.array([2, 2]), "held_out": np.array([1, 1]), "generated": np.array([0, 0])}
    found = measured(monkeypatch, [128] * 2, [128] * 2, [128] * 2, labels=labels)
    assert found["overfitting"].value == pytest.approx(0.5)


def test_a_critic_has_no_sign(monkeypatch):
    gan = Judge()
    gan.config = types.SimpleNamespace(loss="wasserstein")
    assert measured(monkeypatch, [9] * 3, [9] * 3, [1] * 3, gan).keys() == {"overfitting"}


# What is told of it.

@pytest.mark.parametrize("values, expected", [
    ({"authenticity": (0.19, None)}, {"copies"}), ({"authenticity": (0.21, None)}, set()),
    ({"overfitting": (0.51, 0.1)}, {"discriminator overfits"}), ({"overfitting": (0.49, 0.1)}, set()),
    ({"overfitting": (0.8, 0.5)}, set()), ({"overfitting": (0.8, None)}, {"discriminator overfits"}), ({}, set())])
def test_faults_of_an_evaluation(values, expected):
    found = diagnosis.of_evaluation(values)
    assert found.keys() == expected <= set(diagnosis.OF_EVALUATIONS)
    assert all("\n" not in text for text in found.values())
    line = {f"{metric}50_set-train": value for metric, (value, _) in values.items()}
    line.update({f"{metric}50_set-train_deviation": error for metric, (_, error) in values.items() if error})
    assert diagnosis.values_of({"step": 3, "fid50_set-train": 2.0, **line}) == values
