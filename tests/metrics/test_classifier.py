"""The classifier that reads labels: that it learns, is kept and told apart in the cache, and how its labels count."""
import json
import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core.errors import Failure, UserError
from tf2gan.metrics import classifier
from tf2gan.metrics.classifier import BLOCKS, Classifier, Recipe, classifier_for, label_agreement, train_classifier

SHAPE, NUM_CLASSES = (8, 8, 1), 4
KEY = {"dataset": "blobs", "fingerprint": "1", "split": "train", "image_size": "8x8", "channels": "1"}
QUICK = Recipe(steps=60, batch_size=32)


def blobs(num, seed, shape=SHAPE):
    """A bright spot in one of four quarters, which is the label, on noise."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, NUM_CLASSES, num)
    images = draw.integers(0, 100, [num, *shape])
    for image, label in zip(images, labels):
        top, left = 4 * (label // 2) + draw.integers(0, 2), 4 * (label % 2) + draw.integers(0, 2)
        image[top:top + 3, left:left + 3] += 120
    return images.astype(np.uint8), labels


def never():
    raise AssertionError("loaded data that are not needed")


def classify(cache, train=None, test=None, key=KEY, recipe=QUICK, shape=SHAPE, num_classes=NUM_CLASSES):
    return classifier_for(train or blobs(400, 0, shape), test or blobs(200, 1, shape), num_classes, shape, key, cache,
                          recipe=recipe)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache that holds the classifier of the blobs."""
    folder = tmp_path_factory.mktemp("cache")
    classify(folder)
    return folder


@pytest.fixture
def reader(cache):
    return classify(cache, never, never)


@pytest.fixture
def trained(monkeypatch):
    """Networks that stand in for trained ones, in the order of training, since most of the cache is not about that."""
    networks = []

    def train(batches, num_classes, recipe):
        networks.append(Classifier(num_classes, seed=100 + len(networks)))
        networks[-1](next(iter(batches))["images"])
        return networks[-1]

    monkeypatch.setattr(classifier, "train_classifier", train)
    return networks


def entry_of(folder):
    entry, = (folder / "classifiers").iterdir()
    return entry


# The network.

@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(channels):
    network, images = Classifier(7), tf.random.stateless_uniform([2, 28, 20, channels], [0, 0], -1, 1)
    features, logits = network.features(images), network(images)
    assert features.shape == [2, 256] and logits.shape == [2, 7] and logits.dtype == tf.float32
    assert features.numpy().min() >= 0 and features.numpy().std() > 0
    kernel, bias = network.to_logits.get_weights()
    np.testing.assert_allclose(logits, features.numpy() @ kernel + bias, atol=1e-5)


def test_parameters():
    widths = [width for block in BLOCKS for width in block]
    assert widths == [32, 64, 128, 128, 256]
    convolutions = 9 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 128 + 128 * 256)
    network = Classifier(10)
    network(tf.zeros([1, 32, 32, 3]))
    assert network.count_params() == convolutions + 4 * sum(widths) + 256 * 10 + 10


def test_initial_weights_are_a_function_of_the_seed_alone():
    def weights(seed):
        network = Classifier(4, seed)
        network(tf.zeros([1, *SHAPE]))
        return np.concatenate([array.ravel() for name, array in network.arrays().items() if array.ndim > 1])

    first = weights(3)
    tf.random.uniform([5])  # moves the global generator
    np.testing.assert_array_equal(weights(3), first)
    assert (weights(4) != first).mean() > 0.99


def test_stays_float32_under_mixed_precision():
    images, policy = blobs(20, 2)[0] / np.float32(127.5) - 1, tf.keras.mixed_precision.global_policy()
    expected = Classifier(4)(images)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(Classifier(4)(images), expected)
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)


def test_weights_go_by_name_and_fit_or_are_refused():
    one, other = Classifier(4, seed=0), Classifier(4, seed=1)
    images = blobs(5, 2)[0] / np.float32(127.5) - 1
    expected = one(images).numpy()
    assert np.abs(other(images) - expected).max() > 0.01
    other.set_arrays(one.arrays())
    np.testing.assert_array_equal(other(images), expected)
    arrays = one.arrays()
    with pytest.raises(ValueError):
        other.set_arrays({**arrays, "conv_1.0": arrays["conv_1.0"][..., :-1]})
    del arrays["norm_2.3"]
    with pytest.raises(KeyError):
        other.set_arrays(arrays)


# Training.

def test_learns_what_it_has_not_seen(reader):
    images, labels = blobs(400, 5)
    assert np.mean(reader.predict(images) == labels) > 0.95
    untrained = classifier.Reader(Classifier(NUM_CLASSES), SHAPE)
    assert np.mean(untrained.predict(images) == labels) < 0.6


def test_training_is_a_function_of_the_seed():
    def trained(seed):
        recipe = Recipe(steps=12, batch_size=16, seed=seed)
        arrays = train_classifier(classifier._batches(*blobs(60, 0), recipe), NUM_CLASSES, recipe).arrays()
        return np.concatenate([array.ravel() for array in arrays.values()])

    first = trained(0)
    tf.random.uniform([5])  # moves the global generator
    np.testing.assert_allclose(trained(0), first, atol=1e-5)
    assert np.abs(trained(1) - first).max() > 0.1


def test_takes_as_many_batches_as_steps():
    batch = {"images": np.zeros([2, *SHAPE], np.float32), "labels": np.array([0, 1])}
    taken = []
    batches = (taken.append(i) or batch for i in range(9))
    train_classifier(batches, 2, Recipe(steps=4))
    assert len(taken) == 4
    with pytest.raises(ValueError, match="5 batches are too few for 6 steps"):
        train_classifier(batches, 2, Recipe(steps=6))


def test_learns_from_a_tf_dataset_too():
    """Its batches do not tell their size before they come."""
    images, labels = blobs(96, 0)
    data = tf.data.Dataset.from_tensor_slices({"images": classifier._scaled(images), "labels": labels}).batch(32)
    network = train_classifier(data.repeat(), NUM_CLASSES, Recipe(steps=30))
    assert np.mean(classifier.Reader(network, SHAPE).predict(images) == labels) > 0.9


def test_training_that_diverges_fails():
    batch = {"images": np.full([2, *SHAPE], np.nan, np.float32), "labels": np.array([0, 1])}
    with pytest.raises(Failure, match="diverged"):
        train_classifier([batch] * 3, 2, Recipe(steps=3))


def test_shifts_are_whole_pixels_each_image_its_own():
    images = np.zeros([200, 9, 11, 2], np.float32)
    images[:, 4, 5] = 1, 2
    moved = classifier._shifted(tf.constant(images), 2, tf.constant([0, 1])).numpy()
    assert moved.shape == images.shape
    number, rows, columns, _ = np.nonzero(moved[..., :1])
    np.testing.assert_array_equal(number, np.arange(200))  # one spot in each, with both its channels
    np.testing.assert_array_equal(moved[number, rows, columns], [[1, 2]] * 200)
    assert {(y, x) for y, x in zip(rows, columns)} == {(y, x) for y in range(2, 7) for x in range(3, 8)}
    np.testing.assert_array_equal(classifier._shifted(tf.constant(images), 0, tf.constant([0, 1])), images)


@pytest.mark.parametrize("num", [20, 3])  # of more and of fewer images than a batch
def test_batches_are_epochs_in_an_order_of_their_own(num):
    images = np.broadcast_to(np.arange(num, dtype=np.uint8)[:, None, None, None], [num, 2, 2, 1])

    def labels(seed):
        batches = classifier._batches(images, np.arange(num), Recipe(batch_size=8, seed=seed))
        taken = [next(batches) for _ in range(10)]
        for batch in taken:
            np.testing.assert_allclose((batch["images"][:, 0, 0, 0] + 1) * 127.5, batch["labels"], atol=1e-4)
            assert batch["images"].dtype == np.float32 and batch["images"].shape == (8, 2, 2, 1)
        return np.concatenate([batch["labels"] for batch in taken])

    first, complete = labels(0), 80 // num
    epochs = [tuple(first[i * num:(i + 1) * num]) for i in range(complete)]
    assert all(sorted(epoch) == list(range(num)) for epoch in epochs) and len(set(epochs)) > 1
    np.testing.assert_array_equal(labels(0), first)
    assert (labels(1) != first).any()


# Reading.

def test_batch_size_changes_nothing(reader):
    images, labels = blobs(23, 6)
    expected = reader.probabilities(images)
    for batch_size in (1, 5, 23):
        np.testing.assert_allclose(reader.probabilities(images, batch_size), expected, atol=1e-6)
        np.testing.assert_array_equal(reader.predict(images, batch_size), reader.predict(images))


def test_probabilities(reader):
    images = blobs(30, 7)[0]
    probabilities, labels = reader.probabilities(images), reader.predict(images)
    assert probabilities.shape == (30, NUM_CLASSES) and labels.dtype == np.int64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert len(set(labels)) == NUM_CLASSES


@pytest.mark.parametrize("images", [np.zeros([2, *SHAPE], np.float32), np.zeros([2, 8, 8, 3], np.uint8),
                                    np.zeros(SHAPE, np.uint8), np.zeros([0, *SHAPE], np.uint8)])
def test_other_images_are_refused(reader, images):
    with pytest.raises(ValueError, match="are not uint8"):
        reader.predict(images)


# The cache.

def test_info(cache, reader):
    assert reader.accuracy > 0.95
    assert reader.name == f"classifier-blobs-8x8x1-{reader.hash[:6]}" and len(reader.hash) == 64
    info = json.loads((entry_of(cache) / "info.json").read_text())
    assert info == reader.info
    assert info["identity"]["key"] == KEY and info["identity"]["recipe"]["seed"] == 0
    assert info["num"] == {"train": 400, "test": 200} and info["epochs"] == 60 * 32 / 400
    assert info["versions"]["tensorflow"] == tf.__version__
    assert sorted(os.listdir(entry_of(cache))) == ["info.json", "weights.npz"]


def test_accuracy_is_that_on_the_test_images(cache, reader, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "train_classifier", lambda *_: network)
    network = Classifier(NUM_CLASSES)
    network(tf.zeros([1, *SHAPE]))
    with np.load(entry_of(cache) / "weights.npz") as weights:
        network.set_arrays(weights)
    images, labels = blobs(200, 1)
    labels[:50] = (labels[:50] + 1) % NUM_CLASSES
    accuracy = classify(tmp_path, test=(images, labels)).accuracy
    assert accuracy == np.mean(reader.predict(images) == labels)
    assert 0.6 < accuracy <= 0.8


def test_what_is_cached_is_not_trained_again(cache, reader, trained):
    images = blobs(50, 8)[0]
    again = classify(cache, never, never, key=dict(reversed(list(KEY.items()))))  # the order of a dict says nothing
    assert not trained and again.hash == reader.hash and again.info == reader.info
    np.testing.assert_array_equal(again.probabilities(images), reader.probabilities(images))


def test_the_cache_gives_what_was_trained(trained, tmp_path):
    images, later = blobs(50, 8)[0], []
    first = classify(tmp_path, lambda: later.append(1) or blobs(400, 0), lambda: later.append(2) or blobs(200, 1))
    expected = classifier.Reader(trained[0], SHAPE).probabilities(images)
    assert len(trained) == 1 and later == [1, 2]
    for reader in (first, classify(tmp_path, never, never)):
        np.testing.assert_array_equal(reader.probabilities(images), expected)


@pytest.mark.parametrize("change", [
    {"key": {**KEY, "fingerprint": "2"}}, {"key": {**KEY, "split": "train[:50%]"}}, {"num_classes": 5},
    {"recipe": Recipe(steps=60, batch_size=32, seed=1)}, {"shape": (9, 8, 1)}])
def test_anything_else_is_trained_anew(trained, change, tmp_path):
    first, other = classify(tmp_path), classify(tmp_path, **change)
    assert len(trained) == len(list((tmp_path / "classifiers").iterdir())) == 2 and other.hash != first.hash
    assert classify(tmp_path, never, never).hash == first.hash
    assert classify(tmp_path, never, never, **change).hash == other.hash


@pytest.mark.parametrize("constant, value", [("BLOCKS", ((32,), (64,), (128,))), ("_FORMAT", -1)])
def test_another_network_is_trained_anew(trained, tmp_path, monkeypatch, constant, value):
    classify(tmp_path)
    monkeypatch.setattr(classifier, constant, value)
    classify(tmp_path)
    assert len(trained) == len(list((tmp_path / "classifiers").iterdir())) == 2


def truncate(file):
    file.write_bytes(file.read_bytes()[:-1000])


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def other_weights(entry):
    with np.load(entry / "weights.npz") as weights:
        arrays = {name: array + np.float32(0.001) for name, array in weights.items()}
    np.savez(entry / "weights.npz", **arrays)


def other_key(entry):
    info = json.loads((entry / "info.json").read_text())
    info["identity"]["key"]["fingerprint"] = "2"
    (entry / "info.json").write_text(json.dumps(info))


def file_instead(entry):
    shutil.rmtree(entry)
    entry.write_text("")


@pytest.mark.parametrize("damage", [
    lambda entry: (entry / "info.json").unlink(), lambda entry: (entry / "weights.npz").unlink(),
    lambda entry: (entry / "info.json").write_text("{"), lambda entry: (entry / "info.json").write_text("[]"),
    lambda entry: truncate(entry / "weights.npz"), lambda entry: flip(entry / "weights.npz"),
    lambda entry: (entry / "weights.npz").write_bytes(b""), other_weights, other_key, file_instead])
def test_damage_is_told_not_used_and_not_trained_over(cache, tmp_path, damage):
    shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
    entry = entry_of(tmp_path)
    damage(entry)
    with pytest.raises(UserError, match="is damaged: .*; remove ") as error:
        classify(tmp_path, never, never)
    assert str(entry) in str(error.value) and "\n" not in str(error.value)


def test_an_entry_is_whole_or_absent(trained, tmp_path, monkeypatch):
    write = classifier.cache.files.write_atomically

    def full(path, content):
        if path.name == "info.json":
            raise OSError(28, "No space left on device")
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(classifier.cache.files, "write_atomically", full)
        with pytest.raises(UserError, match="cannot write .*blobs-.*No space left on device"):
            classify(tmp_path)
    assert not list((tmp_path / "classifiers").iterdir())
    classify(tmp_path)
    assert len(trained) == 2


def test_another_process_may_be_faster(cache, reader, trained, tmp_path):
    """Its entry appears while this one trains; both then read with the same classifier."""
    def train():
        shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
        return blobs(400, 9)

    assert classify(tmp_path, train=train).hash == reader.hash and trained
    assert len(list((tmp_path / "classifiers").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_told_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder; TF2GAN_CACHE_DIR"):
        classify(tmp_path / "file", never, never)


@pytest.mark.parametrize("variable, value, place", [("TF2GAN_CACHE_DIR", "mine", "mine"),
                                                    ("HOME", "", ".cache/tf2gan")])
def test_where_the_cache_is(cache, reader, tmp_path, monkeypatch, variable, value, place):
    monkeypatch.delenv("TF2GAN_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / value))
    shutil.copytree(cache, tmp_path / place)
    assert classify(None, never, never).hash == reader.hash


@pytest.mark.parametrize("train, message", [
    ((np.zeros([2, *SHAPE], np.float32), np.array([0, 1])), "images float32"),
    ((np.zeros([2, 8, 8, 3], np.uint8), np.array([0, 1])), r"images uint8 \[2, 8, 8, 3\]"),
    ((np.zeros([0, *SHAPE], np.uint8), np.zeros([0], int)), "n > 0"),
    ((np.zeros([2, *SHAPE], np.uint8), np.array([0, 1, 2])), "are not 2 labels"),
    ((np.zeros([2, *SHAPE], np.uint8), np.array([0, 4])), "labels from 0 to 3"),
    ((np.zeros([2, *SHAPE], np.uint8), np.array([-1, 0])), "labels from 0 to 3")])
def test_data_that_do_not_fit_are_refused(tmp_path, train, message):
    with pytest.raises(ValueError, match=message):
        classify(tmp_path, train)


@pytest.mark.parametrize("show_progress", [False, True])
def test_training_is_told_where_it_is_wanted(trained, tmp_path, capsys, show_progress):
    classifier_for(blobs(40, 0), blobs(20, 1), NUM_CLASSES, SHAPE, KEY, tmp_path, show_progress)
    out, err = capsys.readouterr()
    lines = err.splitlines()  # no terminal, no bar
    assert not out and len(lines) == show_progress
    assert all(line.startswith("training a classifier of blobs") for line in lines)


# Labels asked for against labels read.

def test_agreement_of_a_known_case():
    """Asymmetric: with the arguments swapped every figure but the first would be another."""
    agreement = label_agreement([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 2], 3)
    assert agreement["overall"] == 4 / 6
    assert agreement["per_class"] == [3 / 4, 1 / 2, None]
    assert agreement["confusion"] == [[3, 1, 0], [0, 1, 1], [0, 0, 0]]
    json.dumps(agreement, allow_nan=False)


def test_agreement_at_its_limits():
    labels = np.arange(10).repeat(3)
    assert label_agreement(labels, labels, 10)["overall"] == 1
    assert label_agreement(labels, labels, 10)["confusion"] == (3 * np.eye(10, dtype=int)).tolist()
    shifted = label_agreement(labels, (labels + 1) % 10, 10)
    assert shifted["overall"] == 0 and shifted["per_class"] == [0] * 10


def test_labels_of_one_byte_do_not_wrap_around():
    labels = np.array([0, 99, 50], np.uint8)
    agreement = label_agreement(labels, labels, 100)
    assert agreement["overall"] == 1 and agreement["confusion"][99][99] == 1


@pytest.mark.parametrize("asked, read", [([0, 1], [0]), ([0, 3], [0, 1]), ([0, 1], [0, -1]), ([], []), (0, 0),
                                         ([0.5, 1.0], [0, 1]), ([[0, 1]], [[0, 1]])])
def test_labels_that_cannot_be_compared_are_refused(asked, read):
    with pytest.raises(ValueError, match="labels from 0 to 2"):
        label_agreement(asked, read, 3)
