"""Data of one kind, from folders and from tensorflow-datasets: shapes, labels, and what is refused."""
import os
import types

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import load, pipeline


def write(path, colour, size=(8, 8)):
    images.write_image(path, np.broadcast_to(np.uint8(colour), [*size, len(colour)]))


@pytest.fixture
def digits(tmp_path):
    """Grey class folders: class N has images of value 10 N + index."""
    for split, num in (("train", 3), ("test", 1)):
        for label in (0, 1, 2):
            for index in range(num):
                write(tmp_path / split / str(label) / f"{index}.png", [10 * label + index])
    return tmp_path


def examples(split):
    return list(split.records.map(split.decode).as_numpy_iterator())


def config(**changes):
    return types.SimpleNamespace(**{"seed": 0, "image_shape": (8, 8), "channels": 1, "mirror": False, **changes})


def test_class_folders(digits):
    splits = load.load(str(digits), ("train", "test"))
    train, test = splits["train"], splits["test"]
    assert (train.num_examples, test.num_examples) == (9, 3)
    assert train.class_names == test.class_names == ("0", "1", "2")
    assert train.image_shape == test.image_shape == (8, 8, 1)
    found = examples(train)
    assert [int(example["label"]) for example in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [int(example["image"][0, 0, 0]) for example in found] == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert all(example["image"].shape == (8, 8, 1) and example["image"].dtype == np.uint8 for example in found)
    assert found[0]["label"].dtype == np.int64
    assert list(load.load(str(digits), ("train",))) == ["train"]


def test_splits_that_are_optional(digits):
    assert list(load.load(str(digits), ("train",), optional=("test", "validation"))) == ["train", "test"]
    assert list(load.load(str(digits / "train"), ("train",), optional=("test",))) == ["train"]
    with pytest.raises(UserError, match="validation"):
        load.load(str(digits), ("train", "validation"), optional=("test",))


def test_the_version_tells_contents_apart_where_the_fingerprint_cannot(digits):
    def prints():
        split = load.load(str(digits), ("train",))["train"]
        return split.fingerprint, split.version

    before, file = prints(), digits / "train" / "0" / "1.png"
    assert prints() == before
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1000))
    touched = prints()
    assert touched[0] == before[0] and touched[1] != before[1]
    file.rename(file.with_name("9.png"))
    assert prints()[0] != before[0] and prints()[1] not in (before[1], touched[1])


def test_all_images_of_a_folder_as_one_split(digits):
    split = load.load_flat(str(digits))
    assert (split.num_examples, split.image_shape, split.class_names) == (12, (8, 8, 1), None)
    found = examples(split)  # in the order of paths, test before train
    assert [int(example["image"][0, 0, 0]) for example in found] == [0, 10, 20, 0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert all(example.keys() == {"image"} for example in found)
    assert split.fingerprint != load.load_flat(str(digits / "train")).fingerprint


def test_a_flat_folder_that_cannot_be_had(digits, tmp_path, capsys):
    with pytest.raises(UserError, match="nothing does not exist; possible: a folder of images"):
        load.load_flat(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has no images"):
        load.load_flat(str(tmp_path / "empty"))
    (digits / "test" / "0" / "0.png").write_bytes(b"nothing")
    with pytest.raises(UserError, match="1 unreadable of 12 images"):
        load.load_flat(str(digits))
    assert load.load_flat(str(digits), skip_unreadable=True).num_examples == 11
    assert "skipped" in capsys.readouterr().err


def test_labels_stay_with_their_images_through_the_batches(digits):
    batches = pipeline.image_batches(load.load(str(digits), ("train",))["train"], config(), 6)
    for batch in batches.take(3):
        values = np.round((batch["images"][:, 0, 0, 0].numpy() + 1) * 127.5).astype(int)
        np.testing.assert_array_equal(values // 10, batch["labels"])


def test_a_flat_folder_of_colour_has_no_labels(tmp_path):
    write(tmp_path / "a.png", [7])
    write(tmp_path / "b.png", [1, 2, 3])
    split = load.load(str(tmp_path), ("train",))["train"]
    assert split.class_names is None and split.image_shape == (8, 8, 3)
    assert [sorted(example) for example in examples(split)] == [["image"]] * 2
    assert [example["image"][0, 0].tolist() for example in examples(split)] == [[7, 7, 7], [1, 2, 3]]


def test_images_of_several_sizes_have_no_common_size(tmp_path):
    write(tmp_path / "a.png", [7])
    write(tmp_path / "b.png", [7], (8, 9))
    split = load.load(str(tmp_path), ("train",))["train"]
    assert split.image_shape == (None, None, 1)
    assert [example["image"].shape for example in examples(split)] == [(8, 8, 1), (8, 9, 1)]
    assert next(iter(pipeline.image_batches(split, config(), 5)))["images"].shape == [5, 8, 8, 1]


def test_train_decides_whether_images_are_grey(digits):
    write(digits / "test" / "0" / "0.png", [200, 100, 50])
    splits = load.load(str(digits), ("train", "test"))
    assert splits["test"].image_shape[2] == 1 and examples(splits["test"])[0]["image"].shape == (8, 8, 1)
    write(digits / "train" / "0" / "0.png", [200, 100, 50])
    splits = load.load(str(digits), ("train", "test"))
    assert splits["train"].image_shape == splits["test"].image_shape == (8, 8, 3)


def test_labels_without_the_unreadable(digits, capsys):
    (digits / "train" / "1" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 unreadable of 9 images"):
        load.load(str(digits), ("train",))
    split = load.load(str(digits), ("train",), skip_unreadable=True)["train"]
    assert [int(example["label"]) for example in examples(split)] == [0, 0, 0, 1, 1, 2, 2, 2]
    assert "skipped" in capsys.readouterr().err


def test_the_fingerprint_tells_classes_apart(digits):
    before = load.load(str(digits), ("train",))["train"].fingerprint
    assert load.load(str(digits), ("train", "test"))["train"].fingerprint == before
    (digits / "train" / "1" / "0.png").rename(digits / "train" / "2" / "00.png")
    assert load.load(str(digits), ("train",))["train"].fingerprint != before


def test_names_of_unpaired_files(digits, tmp_path):
    for split in ("trainA", "trainB", "testA", "testB"):
        for name in ("b.png", "deep/a.jpg" if split == "testB" else "deep/a.png"):
            write(tmp_path / "x" / split / name, [1, 2, 3])
    splits = load.load(str(tmp_path / "x"), ("trainA", "trainB", "testA", "testB"))
    assert {split.names for split in splits.values()} == {("b", "deep/a")}, "those of pairs agree, whatever the format"
    assert load.load(str(digits), ("train",))["train"].names == ()


def test_unpaired_folders_give_colour(tmp_path):
    for name in ("trainA", "trainB", "testA", "testB"):
        write(tmp_path / name / "x.png", [7])
    splits = load.load(str(tmp_path), ("trainA", "trainB", "testA", "testB"))
    assert all(split.image_shape == (8, 8, 3) and split.class_names is None for split in splits.values())
    assert examples(splits["testB"])[0]["image"].shape == (8, 8, 3)
    with pytest.raises(UserError, match="did you mean .*trainA"):
        load.load(str(tmp_path), ("train",))


# tensorflow-datasets

class Odd(tfds.core.GeneratorBasedBuilder):
    """A set whose features a test chooses."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {}

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(self.FEATURES))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for index in range(4):
            image = np.full(self.FEATURES["image"].shape, index, np.uint8)
            yield index, {"image": image, "label": 3 - index, "other": index}


def odd(monkeypatch, tmp_path, **features):
    monkeypatch.setattr(Odd, "FEATURES", features)
    return load.load("odd", ("train",), os.fspath(tmp_path))["train"]


GREY = tfds.features.Image(shape=(5, 6, 1))


def test_images_and_labels_of_a_set(monkeypatch, tmp_path):
    split = odd(monkeypatch, tmp_path, image=GREY, other=np.int64,
                label=tfds.features.ClassLabel(names=["w", "x", "y", "z"]))
    assert split.image_shape == (5, 6, 1) and split.class_names == ("w", "x", "y", "z")
    found = examples(split)
    assert all(sorted(example) == ["image", "label"] for example in found)
    pairs = sorted((int(example["image"][0, 0, 0]), int(example["label"])) for example in found)
    assert pairs == [(0, 3), (1, 2), (2, 1), (3, 0)]
    assert split.version == split.fingerprint and split.names == ()
    assert list(load.load("odd", ("train",), os.fspath(tmp_path), optional=("test", "validation"))) == ["train"]


def test_a_set_like_svhn(monkeypatch, tmp_path):
    features = tfds.builder("svhn_cropped", data_dir=os.fspath(tmp_path)).info.features
    split = odd(monkeypatch, tmp_path, image=features["image"], label=features["label"], other=np.int64)
    assert split.image_shape == (32, 32, 3) and split.class_names == tuple("0123456789")
    batch = next(iter(pipeline.image_batches(split, config(image_shape=(32, 32), channels=3), 8)))
    assert batch["images"].shape == [8, 32, 32, 3]
    np.testing.assert_allclose((batch["images"][:, 0, 0, 0] + 1) * 127.5, 3 - batch["labels"].numpy(), atol=1e-4)


def test_a_label_that_is_no_class_is_none(monkeypatch, tmp_path):
    split = odd(monkeypatch, tmp_path, image=GREY, other=np.int64, label=np.int64)
    assert split.class_names is None and sorted(examples(split)[0]) == ["image"]


@pytest.mark.parametrize("features, words", [
    ({"label": np.int64, "other": np.int64}, 'dataset \'odd\' has no "image"; it has label, other'),
    ({"image": tfds.features.Tensor(shape=(5, 6, 1), dtype=np.uint8)}, "possible: uint8 images of 1 or 3 channels"),
    ({"image": tfds.features.Image(shape=(5, 6, 4))}, "possible: uint8 images of 1 or 3 channels"),
    ({"image": tfds.features.Image(shape=(5, 6, 1), dtype=np.uint16)}, "possible: uint8 images of 1 or 3 channels")])
def test_sets_without_pictures_are_refused_before_anything_is_prepared(monkeypatch, tmp_path, features, words):
    with pytest.raises(UserError) as caught:
        odd(monkeypatch, tmp_path, **features)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_real_mnist():
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder or not os.path.isdir(os.path.join(folder, "mnist")):
        pytest.skip("TFDS_DATA_DIR names no folder with mnist")
    splits = load.load("mnist", ("train", "test"))
    assert splits["train"].image_shape == (28, 28, 1) and splits["train"].class_names == tuple("0123456789")
    batches = pipeline.image_batches(splits["train"], config(image_shape=(28, 28)), 10000)
    labels = np.concatenate([batch["labels"] for batch in batches.take(6)])
    # The numbers of each digit, as published.
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
