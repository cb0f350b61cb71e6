"""The extractor that `--extractor` names, for the data of an evaluation."""
import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.data import pipeline
from tf2gan.metrics import features, registry
from tf2gan.metrics.classifier import Recipe, classifier_for

CLASSIFIER_SIDE = 64  # pixels; a classifier reads larger images resized to this at their smaller side
# For about two thousand images of two domains. At 64x64 a step costs five times as much as with digits.
DOMAIN_RECIPE = Recipe(steps=600, batch_size=64)
_HELD_OUT = 10  # without a test split, one training image in ten is held out to test the classifier
_CROP = "bilinear, antialiased, middle crop"


class Resized:
    """An extractor that resizes its images first: bilinear, antialiased."""

    def __init__(self, extractor, size):
        """`size`: (height, width)."""
        self._extractor, self._size = extractor, size
        self.name, self.hash = extractor.name, extractor.hash
        self.info = {**extractor.info, "resize": f"bilinear, antialiased, to {size[0]}x{size[1]}"}

    def __call__(self, images):
        resized = tf.image.resize(images, self._size, antialias=True)
        return self._extractor(tf.cast(tf.round(resized), tf.uint8).numpy())


def check(spec, names):
    """Raises UserError for a spec without an available extractor, if any of the metrics `names` needs one."""
    if registry.needs_extractor(names):
        features.check(spec)


def classifier_shape(image_shape):
    """(height, width, channels) at which a classifier reads images of `image_shape`."""
    height, width, channels = image_shape
    scale = min(1.0, CLASSIFIER_SIDE / min(height, width))
    return round(height * scale), round(width * scale), channels


class WithClasses:
    """An extractor that also gives "class_probabilities": what the data's own classifier, `classes`, reads."""

    def __init__(self, extractor, classes):
        self.features, self.classes = extractor, classes
        self.name, self.hash, self.info = extractor.name, extractor.hash, extractor.info

    def __call__(self, images):
        outputs = self.features(images)
        read = outputs if self.classes is self.features else self.classes(images)
        return {**outputs, "class_probabilities": read["probabilities"]}


def no_labels(label, channels) -> UserError:
    """The error for data from which no classifier can learn, where the features should be its own."""
    grey = " are grey, which imagenet has not learned from, and" if channels == 1 else ""
    colour = ", a training with --channels 3" if channels == 1 else ", --extractor imagenet"
    metrics = ",".join(registry.WITHOUT_EXTRACTOR)
    return UserError(f"--extractor classifier: the images of {label}{grey} have no labels to learn from; possible: "
                     f"--metrics {metrics} (in training --evaluate-metrics swd --keep-best swd){colour}, or --extractor "
                     "inception or savedmodel:PATH")


def of_classes(spec, data, names, show_progress=False):
    """The extractor for data with or without classes.

    Args:
        spec: as `features.check` takes it; "classifier" is one trained on the data's own classes.
        data: `image_sets.RealData`.
        names: of metrics; one that counts classes needs the classifier, whatever gives the features.

    Raises UserError if it is not available.
    """
    def classifier():
        if data.class_names is None:
            raise no_labels(data.label, data.image_shape[-1])
        shape = classifier_shape(data.image_shape)

        def arrays(split):
            return pipeline.labelled_arrays(data.splits[split], shape[:2], shape[2])

        tested = next((name for name in ("test", "validation") if name in data.splits), None)
        if tested:
            train, test, test_key = (lambda: arrays("train")), (lambda: arrays(tested)), data.splits[tested].fingerprint
        else:
            train, test = (lambda: _part(arrays("train"), False)), (lambda: _part(arrays("train"), True))
            test_key = f"every {_HELD_OUT}th of train in a random order"
        return classifier_for(train, test, len(data.class_names), shape, {
            "dataset": data.label, "train": data.splits["train"].fingerprint, "test": test_key, "resize": _CROP},
            show_progress=show_progress)

    shapes = data.image_shape, classifier_shape(data.image_shape)
    extractor = _made(spec, classifier, *shapes)
    if not any(registry.METRICS[name].reads == "class_probabilities" for name in names):
        return extractor
    return WithClasses(extractor, extractor if spec == "classifier" else _made("classifier", classifier, *shapes))


def of_domains(spec, splits, label, image_shape, show_progress=False):
    """The extractor for unpaired data; "classifier" is one trained to tell images of A from those of B.

    Args:
        splits: with trainA, trainB, testA, testB.
        label: the name of the data in metric names.
    """
    shape = classifier_shape((*image_shape[:2], 3))

    def arrays(kind):
        parts = [np.stack([np.rint((image + 1.0) * 127.5).astype(np.uint8) for image in
                           pipeline.undisturbed(splits[f"{kind}{domain}"], shape[:2]).as_numpy_iterator()])
                 for domain in "AB"]
        return np.concatenate(parts), np.repeat(np.arange(2), [len(part) for part in parts])

    def classifier():
        prints = {kind: " and ".join(splits[f"{kind}{domain}"].fingerprint for domain in "AB")
                  for kind in ("train", "test")}
        return classifier_for(lambda: arrays("train"), lambda: arrays("test"), 2, shape,
                              {"dataset": f"{label}-domains", **prints, "resize": _CROP},
                              show_progress=show_progress, recipe=DOMAIN_RECIPE)

    return _made(spec, classifier, image_shape, shape)


def _made(spec, classifier, image_shape, shape):
    """The extractor of `spec`. `shape`: that at which a classifier reads images of `image_shape`."""
    extractor = features.make(spec, classifier)
    resized = spec == "classifier" and shape[:2] != tuple(image_shape[:2])
    return Resized(extractor, shape[:2]) if resized else extractor


def _part(labelled, held_out):
    """The held-out images and labels, or all others; the same ones at every call."""
    images, labels = labelled
    chosen = np.zeros(len(images), bool)
    chosen[np.random.default_rng(0).permutation(len(images))[::_HELD_OUT]] = True
    return images[chosen == held_out], labels[chosen == held_out]
