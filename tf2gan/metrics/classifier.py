"""A small classifier that is trained once per data set and cached. It predicts the labels of generated images."""
import dataclasses
import hashlib
import importlib.metadata
import io
import itertools
import json
import os

import numpy as np
import tensorflow as tf

from tf2gan.core import progress, terminal
from tf2gan.core.errors import Failure, printable
from tf2gan.core.seeds import fold
from tf2gan.metrics import cache
from tf2gan.networks.layers import shifted

BLOCKS = ((32,), (64,), (128, 128), (256,))  # channels of the 3x3 convolutions between two poolings
_FORMAT = 1  # to be raised with every change here that changes the classifier of a recipe


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a classifier is trained, the same for every data set. Published metrics use the defaults."""

    steps: int = 2000  # training steps; not epochs, so that a small data set is learned as well as a large one
    batch_size: int = 128
    learning_rate: float = 3e-3  # Adam's peak: linear warm-up over the first tenth, then cosine decay to 0
    max_shift: int = 2  # pixels of the largest random shift of images; no horizontal flip, since some data are digits
    seed: int = 0  # of weights, order and shifts


class Classifier(tf.keras.Model):
    """3x3 convolutions, each with batch normalization and ReLU; max pooling between blocks, global at the end.

    Images [batch, height, width, 1 or 3] in [-1, 1] of any size -> float32 logits [batch, num_classes]. Always
    float32: metrics must not depend on the precision that a GAN is trained in.
    """

    def __init__(self, num_classes, seed=0, name="classifier"):
        """The initial weights are a pure function of `seed`."""
        super().__init__(name=name, dtype="float32")
        widths = [width for block in BLOCKS for width in block]
        # Own seeds, because setting the global seed would interfere with the caller.
        seeds = tf.random.stateless_uniform([len(widths) + 1], fold(seed, "weights"), 0, 2 ** 31 - 1, tf.int32).numpy()
        self.convolutions = [
            tf.keras.layers.Conv2D(width, 3, padding="same", use_bias=False, dtype="float32", name=f"conv_{i}",
                                   kernel_initializer=tf.keras.initializers.HeNormal(int(seeds[i])))
            for i, width in enumerate(widths)]
        # Momentum 0.9: the final averages cover only the last steps, where the learning rate is nearly 0.
        self.norms = [tf.keras.layers.BatchNormalization(momentum=0.9, dtype="float32", name=f"norm_{i}")
                      for i in range(len(widths))]
        self.to_logits = tf.keras.layers.Dense(num_classes, dtype="float32", name="to_logits",
                                               kernel_initializer=tf.keras.initializers.GlorotUniform(int(seeds[-1])))

    def features(self, images, training=False):
        """The inputs of the last layer, [batch, 256], all >= 0."""
        x, layers = images, zip(self.convolutions, self.norms)
        for i, block in enumerate(BLOCKS):
            if i:
                x = tf.nn.max_pool2d(x, 2, 2, "SAME")
            for conv, norm in itertools.islice(layers, len(block)):
                x = tf.nn.relu(norm(conv(x), training=training))
        return tf.reduce_max(x, axis=[1, 2])

    def call(self, images, training=False):
        return self.to_logits(self.features(images, training))

    def arrays(self) -> dict:
        """{name: array} of all weights, by names that do not depend on the version of Keras."""
        return {f"{layer.name}.{i}": array for layer in (*self.convolutions, *self.norms, self.to_logits)
                for i, array in enumerate(layer.get_weights())}

    def set_arrays(self, arrays):
        """Loads what `arrays` returned. Raises KeyError or ValueError if it does not fit."""
        for layer in (*self.convolutions, *self.norms, self.to_logits):
            layer.set_weights([arrays[f"{layer.name}.{i}"] for i in range(len(layer.weights))])


def train_classifier(batches, num_classes, recipe=Recipe()) -> Classifier:
    """Trains a new classifier with softmax cross-entropy.

    Args:
        batches: iterable of {"images": float32 [batch, height, width, channels] in [-1, 1], "labels": int [batch]};
            the first `recipe.steps` are used.

    Raises ValueError if there are fewer batches, Failure if the weights are not finite at the end.
    """
    network, warmup = Classifier(num_classes, recipe.seed), max(1, recipe.steps // 10)
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(
        0.0, recipe.steps - warmup, warmup_target=recipe.learning_rate, warmup_steps=warmup))

    @tf.function
    def train_step(images, labels, seed):
        images = _shifted(images, recipe.max_shift, seed)
        with tf.GradientTape() as tape:
            logits = network(images, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))

    step = 0
    for step, batch in enumerate(itertools.islice(batches, recipe.steps), 1):
        if step == 1:
            network(batch["images"][:1])  # the optimizer makes slots only for variables that exist
            optimizer.build(network.trainable_variables)
        train_step(batch["images"], batch["labels"], fold(recipe.seed, "shift", step))
    if step < recipe.steps:
        raise ValueError(f"{step} batches are too few for {recipe.steps} steps")
    if not all(np.isfinite(array).all() for array in network.arrays().values()):  # ReLU hides NaN from the loss
        raise Failure("the classifier's training diverged: its weights are not finite")
    return network


def _shifted(images, most, seed):
    return shifted(images, most, tf.random.stateless_uniform([2, tf.shape(images)[0]], seed, 0, 2 * most + 1, tf.int32))


def _scaled(images):  # uint8 -> float32 in [-1, 1]
    return images.astype(np.float32) / 127.5 - 1.0


def _batches(images, labels, recipe):
    """Endless training batches; the order of an epoch is a pure function of (seed, epoch)."""
    order = np.empty([0], np.int64)
    for epoch in itertools.count():
        keys = tf.random.stateless_uniform([len(images)], fold(recipe.seed, "order", epoch), None, None, tf.int64)
        order = np.concatenate([order, np.argsort(keys.numpy(), kind="stable")])
        while len(order) >= recipe.batch_size:
            chosen, order = order[:recipe.batch_size], order[recipe.batch_size:]
            yield {"images": _scaled(images[chosen]), "labels": labels[chosen]}


class Reader:
    """A trained classifier as an extractor of features, with the facts to report beside its metrics.

    `name` is the protocol, such as `classifier-mnist-28x28x1-ab12cd`. It ends with the first characters of `hash`, the
    SHA-256 of the weights. `accuracy` is that on the test images, 0 to 1. `info` is the info.json of the cache entry.
    """

    num_features = BLOCKS[-1][-1]

    def __init__(self, network, image_shape, name=None, info=None):
        self._image_shape, self.name, self.info = image_shape, name, info or {}
        self.accuracy, self.hash = self.info.get("accuracy"), self.info.get("hash")

        @tf.function(input_signature=[tf.TensorSpec([None, *image_shape], tf.float32)])
        def read(images):
            features = network.features(images)
            return {"features": features, "logits": network.to_logits(features)}

        self._read = read

    def _outputs(self, images, batch_size):
        _check_images(images, self._image_shape)
        parts = [self._read(_scaled(images[i:i + batch_size])) for i in range(0, len(images), batch_size)]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    def __call__(self, images, batch_size=500):
        """The inputs of the last layer, and the probabilities; arguments as for `probabilities`.

        Returns {"features": float32 [n, 256], "probabilities": float32 [n, num_classes]}.
        """
        outputs = self._outputs(images, batch_size)
        return {"features": outputs["features"], "probabilities": tf.nn.softmax(outputs["logits"]).numpy()}

    def probabilities(self, images, batch_size=500):
        """Images uint8 [n, height, width, channels], n > 0 -> float32 [n, num_classes], each row with the sum 1.

        `batch_size` changes only memory and rounding. Raises ValueError for other images.
        """
        return tf.nn.softmax(self._outputs(images, batch_size)["logits"]).numpy()

    def predict(self, images, batch_size=500):
        """The most probable label of each image, int64 [n]; arguments as for `probabilities`."""
        return self._outputs(images, batch_size)["logits"].argmax(axis=1)


def classifier_for(train, test, num_classes, image_shape, key, cache_dir=None, show_progress=False,
                   recipe=Recipe()) -> Reader:
    """The classifier of a data set: trained at the first call, read from the cache at every later one.

    Args:
        train, test: pairs of images uint8 [n, *image_shape] and labels int64 [n], or functions that return them, which
            are not called if the classifier is in the cache.
        image_shape: (height, width, channels).
        key: {str: str} that identifies the data; "dataset" must be in it, and names the classifier.
        cache_dir: default TF2GAN_CACHE_DIR, or ~/.cache/tf2gan. The classifier is classifiers/NAME-HASH in it. The hash
            covers `key`, `image_shape`, `num_classes`, the network and `recipe`.
        show_progress: whether to report training on stderr.

    Raises UserError if the cache cannot be written or its entry is damaged, ValueError for data that do not fit,
    Failure if training diverges.
    """
    identity = {"key": key, "image_shape": list(image_shape), "num_classes": num_classes, "format": _FORMAT,
                "blocks": [list(block) for block in BLOCKS], "recipe": dataclasses.asdict(recipe)}
    label = cache.slug(key["dataset"])
    folder = cache.entry("classifiers", label, identity, cache_dir)
    if not os.path.lexists(folder):
        cache.check_writable(folder)  # before the minutes of training
        train, test = (part() if callable(part) else part for part in (train, test))
        for images, labels in (train, test):
            _check_images(images, image_shape)
            _check_labels(labels, num_classes, len(images))
        if show_progress:
            terminal.say(f"training a classifier of {label}, kept in {printable(folder)} ...")
        with progress.counting(show_progress, "classifier", recipe.steps, "steps") as counter:
            network = train_classifier(_counted(itertools.islice(_batches(*train, recipe), recipe.steps), counter),
                                       num_classes, recipe)
        _write(folder, network, {
            "accuracy": float(np.mean(Reader(network, image_shape).predict(test[0]) == test[1])),
            "hash": _hash(network.arrays()), "num": {"train": len(train[0]), "test": len(test[0])},
            "epochs": round(recipe.steps * recipe.batch_size / len(train[0]), 2), "identity": identity,
            "versions": {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}})
    network, info = _read(folder, identity)  # also after training, so that the first use equals all later ones
    size = "x".join(map(str, image_shape))
    return Reader(network, image_shape, f"classifier-{label}-{size}-{info['hash'][:6]}", info)


def _counted(batches, counter):
    for batch in batches:
        yield batch
        if counter is not None:
            counter()


def _check_images(images, image_shape):
    if images.dtype != np.uint8 or images.shape[1:] != tuple(image_shape) or not len(images):
        raise ValueError(f"images {images.dtype} {list(images.shape)} are not uint8 {['n', *image_shape]} with n > 0")


def _check_labels(labels, num_classes, num):
    kind = labels.shape == (num,) and num > 0 and labels.dtype.kind in "iu"
    if not kind or labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"{labels.dtype} {list(labels.shape)} are not {num} labels from 0 to {num_classes - 1}")


def _hash(arrays):
    """SHA-256 of names, shapes and values."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape} ".encode() + array.astype("<f4").tobytes())
    return digest.hexdigest()


def _write(folder, network, info):
    weights = io.BytesIO()
    np.savez(weights, **network.arrays())
    cache.write(folder, {"weights.npz": weights.getvalue(), "info.json": json.dumps(info, indent=2) + "\n"})


def _read(folder, identity):
    """Network and info of a cache entry. Raises UserError if it is damaged or belongs to another classifier."""
    with cache.reading(folder, "classifier", "train anew"):
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        if info["identity"] != identity:
            raise ValueError("info.json is that of another classifier")
        info["accuracy"] = float(info["accuracy"])
        with np.load(folder / "weights.npz", allow_pickle=False) as weights:
            arrays = dict(weights)
        if _hash(arrays) != info["hash"]:
            raise ValueError("weights.npz does not have the hash that info.json gives")
        network = Classifier(identity["num_classes"])
        network(tf.zeros([1, *identity["image_shape"]]))
        network.set_arrays(arrays)
    return network, info


def label_agreement(asked, read, num_classes) -> dict:
    """How often the predicted label of an image is the one that was asked for (or is true).

    Args:
        asked, read: int [n], n > 0, each from 0 to num_classes - 1.

    Returns:
        {"overall": float, "per_class": [float, or None for a label never asked for], "confusion": [[int]]}. Rows of
        `confusion` are labels asked for, columns predicted labels. Raises ValueError for other arguments.
    """
    asked, read = np.asarray(asked), np.asarray(read)
    for labels in (asked, read):
        _check_labels(labels, num_classes, asked.size)
    pairs = asked.astype(np.int64) * num_classes + read.astype(np.int64)
    confusion = np.bincount(pairs, minlength=num_classes ** 2).reshape(num_classes, num_classes)
    return {"overall": float(np.trace(confusion) / len(asked)),
            "per_class": [float(row[i] / row.sum()) if row.sum() else None for i, row in enumerate(confusion)],
            "confusion": confusion.tolist()}
