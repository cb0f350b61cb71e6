"""Images in the middle of a black square: which pixels, what else stays, and what is refused."""
import os
import types

import numpy as np
import pytest
import tensorflow as tf

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import load, padding, pipeline
from tf2gan.data.synthetic import SyntheticDigits, render_digit


def split_of(height, width, channels, **changes):
    """Three images of numbers from 1 to 255, labelled 2, 0, 1."""
    pixels = np.random.default_rng(0).integers(1, 256, [3, height, width, channels]).astype(np.uint8)
    records = tf.data.Dataset.from_tensor_slices({"image": pixels, "label": np.array([2, 0, 1], np.int64)})
    values = {"fingerprint": "print", "image_shape": (height, width, channels), "class_names": ("a", "b", "c"),
              "version": "1", **changes}
    return load.Split("train", 3, records, dict, 100, **values), pixels


def examples(split):
    return list(split.records.map(split.decode).as_numpy_iterator())


def config(size, channels):
    return types.SimpleNamespace(seed=0, image_shape=(size, size), channels=channels, mirror=False)


# Pixels.

@pytest.mark.parametrize("height, width, size, rows, columns", [
    (28, 28, 32, (2, 2), (2, 2)), (5, 6, 9, (2, 2), (1, 2)), (4, 7, 7, (1, 2), (0, 0)), (3, 3, 3, (0, 0), (0, 0)),
    (1, 2, 5, (2, 2), (1, 2))])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels(height, width, size, rows, columns, channels):
    """Of an odd margin the larger half is below and to the right."""
    split, pixels = split_of(height, width, channels)
    padded = padding.padded(split, size, "zoo@9")
    assert padded.image_shape == (size, size, channels)
    found = examples(padded)
    for example, image in zip(found, pixels):
        assert example["image"].dtype == np.uint8
        np.testing.assert_array_equal(example["image"], np.pad(image, [rows, columns, (0, 0)]))
    assert [int(example["label"]) for example in found] == [2, 0, 1]
    assert padded.records.map(padded.decode).element_spec["image"].shape == [size, size, channels]


def test_what_else_a_split_has():
    split, _ = split_of(5, 6, 1, names=("x", "y", "z"))
    padded = padding.padded(split, 8, "zoo@8")
    for name in ("name", "num_examples", "record_bytes", "class_names", "names"):
        assert getattr(padded, name) == getattr(split, name)
    others = [split, padded, padding.padded(split, 9, "zoo@9")]
    for mark in ("fingerprint", "version"):
        assert len({getattr(other, mark) for other in others}) == 3
        assert all(getattr(other, mark).startswith(getattr(split, mark)) for other in others)
    assert padding.padded(split_of(5, 6, 1, version="")[0], 8, "zoo@8").version == ""


def test_images_without_labels():
    pixels = np.full([2, 4, 4, 3], 9, np.uint8)
    split = load.Split("train", 2, tf.data.Dataset.from_tensor_slices(pixels), lambda record: {"image": record}, 48,
                       image_shape=(4, 4, 3))
    for example in examples(padding.padded(split, 6, "zoo@6")):
        assert sorted(example) == ["image"]
        np.testing.assert_array_equal(example["image"], np.pad(pixels[0], [(1, 1), (1, 1), (0, 0)]))


# Names.

@pytest.mark.parametrize("name, parts", [
    ("mnist", ("mnist", None)), ("mnist@32", ("mnist", 32)), ("synthetic_digits/28@64", ("synthetic_digits/28", 64)),
    ("emnist/digits:1.0.0@32", ("emnist/digits:1.0.0", 32))])
def test_names(name, parts):
    assert padding.parted(name) == parts


@pytest.mark.parametrize("name", ["mnist@", "@32", "@", "mnist@x", "mnist@0", "mnist@-4", "mnist@3.5", "mnist@32@32",
                                  "mnist@ 32", "mnist@²", "mnist@٣٢"])
def test_bad_names(name):
    """They are refused before anything is looked for."""
    for call in (lambda: padding.parted(name), lambda: load.load(name, ("train",), "/nowhere")):
        with pytest.raises(UserError) as caught:
            call()
        message = str(caught.value)
        assert message.startswith(f"dataset {name!r}: needed: NAME@N") and "\n" not in message


def test_a_name_that_there_is_not(tmp_path):
    for padded in ("mnsit@32", "mnsit"):
        with pytest.raises(UserError, match="did you mean .*mnist"):
            load.load(padded, ("train",), os.fspath(tmp_path))


@pytest.mark.parametrize("height, width, size", [(28, 28, 27), (4, 9, 8), (9, 4, 8)])
def test_images_that_are_larger(height, width, size):
    with pytest.raises(UserError) as caught:
        padding.padded(split_of(height, width, 1)[0], size, "zoo@8")
    message = str(caught.value)
    assert message.startswith("dataset 'zoo@8': ") and f"{height}x{width} pixels" in message and "\n" not in message


def test_images_of_several_sizes():
    with pytest.raises(UserError) as caught:
        padding.padded(split_of(5, 6, 1, image_shape=(None, None, 1))[0], 64, "zoo@64")
    message = str(caught.value)
    assert message.startswith("dataset 'zoo@64': ") and "differ in size" in message and "\n" not in message


def test_a_folder_with_an_at_is_a_folder(tmp_path, monkeypatch):
    (tmp_path / "zoo@32").mkdir()
    images.write_image(tmp_path / "zoo@32" / "a.png", np.full([5, 5, 1], 7, np.uint8))
    monkeypatch.chdir(tmp_path)
    for folder in ("zoo@32", "./zoo@32", "zoo@32/", os.fspath(tmp_path / "zoo@32")):
        split = load.load(folder, ("train",))["train"]
        assert split.image_shape == (5, 5, 1) and split.num_examples == 1
        assert (examples(split)[0]["image"] == 7).all()


def test_folders_are_not_padded(tmp_path, monkeypatch):
    (tmp_path / "zoo").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="dataset 'zoo@32': only data sets by name are padded"):
        load.load("zoo@32", ("train",))


# Through the data to training.

@pytest.fixture
def digits(monkeypatch, tmp_path):
    """Function dataset -> its splits train and test, of 12 and 4 drawn digits."""
    config_type = type(SyntheticDigits.config_for())
    monkeypatch.setattr(SyntheticDigits, "config_for", lambda size=None: config_type(size, 12, 4))
    return lambda dataset: load.load(dataset, ("train",), os.fspath(tmp_path), optional=("test", "validation"))


def test_a_drawn_set(digits):
    plain, padded = digits("synthetic_digits/28"), digits("synthetic_digits/28@32")
    assert list(padded) == ["train", "test"]
    for name, split in padded.items():
        assert split.image_shape == (32, 32, 1) and split.num_examples == plain[name].num_examples
        assert split.class_names == tuple("0123456789")
        for before, after in zip(examples(plain[name]), examples(split)):
            np.testing.assert_array_equal(after["image"], np.pad(before["image"], [(2, 2), (2, 2), (0, 0)]))
            assert after["label"] == before["label"]
    drawn = {np.pad(render_digit("train", index), [(2, 2), (2, 2), (0, 0)]).tobytes() for index in range(12)}
    assert {example["image"].tobytes() for example in examples(padded["train"])} == drawn


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_for_training(digits, channels):
    """In the order of the split that is not padded; black is -1."""
    plain, padded = (next(iter(pipeline.image_batches(digits(name)["train"], config(size, channels), 12)))
                     for name, size in (("synthetic_digits/28", 28), ("synthetic_digits/28@32", 32)))
    images = padded["images"].numpy()
    assert images.shape == (12, 32, 32, channels)
    np.testing.assert_array_equal(images[:, 2:-2, 2:-2], plain["images"])
    np.testing.assert_array_equal(padded["labels"], plain["labels"])
    images[:, 2:-2, 2:-2] = -1
    assert (images == -1).all() and plain["images"].numpy().max() > 0.5


def test_a_size_that_images_are_then_resized_to(digits):
    """Padding comes first: 28 pixels in 32 are 14 in 16."""
    images = next(iter(pipeline.image_batches(digits("synthetic_digits/28@32")["train"], config(16, 1), 4)))["images"]
    assert images.shape == [4, 16, 16, 1]
    assert (images[:, 0] == -1).numpy().all() and (images[:, :, -1] == -1).numpy().all()
