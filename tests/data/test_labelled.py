"""Which images keep their labels, what is read beside them, and in what batches."""
import dataclasses
import os
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tf2gan.core import images
from tf2gan.core.errors import UserError
from tf2gan.data import labelled, load, pipeline

CLASSES = ("ant", "bee", "cow")
# 20 ants, 12 bees and 9 cows, one among the other.
LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [20, 12, 9]))


def split_of(labels=LABELS, name="train", first=0, shape=(4, 4, 1)):
    """Example i is an image all of value first + i, which so tells it from all others."""
    values = first + np.arange(len(labels))
    pixels = np.broadcast_to(values[:, None, None, None], [len(labels), *shape]).astype(np.uint8)
    records = tf.data.Dataset.from_tensor_slices({"image": pixels, "label": np.array(labels, np.int64)})
    return load.Split(name, len(labels), records, dict, 100, fingerprint=f"{name}{first}", image_shape=shape,
                      class_names=CLASSES, version="1")


def config(**changes):
    return types.SimpleNamespace(**{
        "dataset": "zoo", "seed": 0, "label_seed": None, "num_labels": 9, "exclude_labelled": False,
        "more_unlabelled": None, "fully_supervised": False, "image_shape": (4, 4), "channels": 1, "mirror": False,
        **changes})


def contents(split):
    """[(value, label)] in order."""
    found = [(int(example["image"][0, 0, 0]), int(example["label"]))
             for example in split.records.map(split.decode).as_numpy_iterator()]
    assert len(found) == split.num_examples
    return found


def values(split):
    return [value for value, _ in contents(split)]


def chosen(num, seed=0, labels=LABELS):
    return labelled.stratified(labels, num, seed, CLASSES, "zoo")


# Which.

@pytest.mark.parametrize("num, counts", [(3, [1, 1, 1]), (4, [2, 1, 1]), (5, [2, 2, 1]), (9, [3, 3, 3]),
                                         (27, [9, 9, 9]), (28, [10, 9, 9]), (None, [20, 12, 9])])
def test_as_many_of_each_class(num, counts):
    positions = chosen(num)
    assert np.bincount(LABELS[positions], minlength=3).tolist() == counts
    assert (np.diff(positions) > 0).all()


def test_a_function_of_the_seed():
    np.testing.assert_array_equal(chosen(9), chosen(9))
    assert len({tuple(chosen(9, seed)) for seed in range(20)}) == 20
    tf.random.set_seed(1)
    before = chosen(9)
    tf.random.set_seed(2)
    np.testing.assert_array_equal(chosen(9), before)


def test_every_image_of_a_class_is_as_likely():
    num = 150
    counts = np.bincount(np.concatenate([chosen(9, seed) for seed in range(num)]), minlength=len(LABELS))
    for label, size in enumerate((20, 12, 9)):
        share = 3 / size
        found = counts[LABELS == label]
        assert found.sum() == 3 * num and np.abs(found - share * num).max() < 5 * np.sqrt(num * share * (1 - share))


def test_a_class_does_not_depend_on_where_the_others_are():
    """Of the ants the same are chosen, counted among the ants; other classes throw other dice."""
    def ranks(labels):
        positions = chosen(9, labels=labels)
        return [np.searchsorted(np.flatnonzero(labels == label), positions[labels[positions] == label]).tolist()
                for label in range(3)]

    assert ranks(LABELS) == ranks(np.sort(LABELS)) == ranks(LABELS[::-1])
    fewer = LABELS.copy()
    fewer[np.flatnonzero(LABELS == 1)[-1]] = load.NO_LABEL
    assert ranks(fewer)[0] == ranks(LABELS)[0] and ranks(fewer)[2] == ranks(LABELS)[2]
    alike = np.repeat([0, 1, 2], 12)
    assert ranks(alike)[0] != ranks(alike)[1] != ranks(alike)[2]


def test_images_without_a_label_are_never_chosen():
    labels = LABELS.copy()
    labels[::2] = load.NO_LABEL
    np.testing.assert_array_equal(chosen(None, labels=labels), np.flatnonzero(labels >= 0))
    assert (labels[chosen(9, labels=labels)] >= 0).all()
    found = labelled.divided({"train": split_of(labels)}, config(fully_supervised=True))
    assert sorted(contents(found["supervised"])) == [(i, label) for i, label in enumerate(labels) if label >= 0]
    assert found["unlabelled"].num_examples == len(labels) and found["labelled"].num_examples == 9


@pytest.mark.parametrize("labels, num, words", [
    (LABELS, 2, "--num-labels 2: fewer than the 3 classes of zoo; at least one of each is needed"),
    (LABELS, 30, "--num-labels 30: 10 of each class are too many, cow has 9 in zoo; possible: up to 27"),
    ([0, 0, 2, 2], 3, "dataset 'zoo': no image of train has the label bee"),
    ([-1, -1, 2, 2], None, "dataset 'zoo': no image of train has the label ant, bee"),
    ([0, 1, 2, 3, 1], 3, "dataset 'zoo': example 3 of train has the label 3; possible: 0 to 2, or -1 for none"),
    ([0, 1, 2, 1, -2], 3, "dataset 'zoo': example 4 of train has the label -2; possible: 0 to 2"),
    (LABELS, 28, None)])
def test_labels_that_do_not_do(labels, num, words):
    splits = {"train": split_of(labels)}
    if words is None:
        assert labelled.divided(splits, config(num_labels=num))["labelled"].num_examples == num
        return
    with pytest.raises(UserError) as caught:
        labelled.divided(splits, config(num_labels=num))
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


# The splits.

def test_taken_keeps_content_and_order():
    split = split_of()
    part = labelled.taken(split, np.array([1, 4, 40]), "part")
    assert contents(part) == [(i, LABELS[i]) for i in (1, 4, 40)] and part.name == "part"
    assert (part.class_names, part.image_shape) == (CLASSES, (4, 4, 1))
    others = [labelled.taken(each, np.array([1, 4]), "part") for each in (split, split_of(first=50))]
    assert len({each.fingerprint for each in (part, split, *others)}) == 4
    assert part.fingerprint == labelled.taken(split, np.array([1, 4, 40]), "part").fingerprint


def test_joined_is_one_after_the_other():
    first, second = split_of(), split_of([-1] * 5, "extra", first=100)
    both = labelled.joined(first, second)
    assert contents(both) == [*contents(first), *((100 + i, -1) for i in range(5))]
    assert both.image_shape == (4, 4, 1) and both.class_names == CLASSES
    assert both.fingerprint not in (first.fingerprint, labelled.joined(first, split_of([-1] * 6, "more")).fingerprint)
    assert labelled.joined(first, split_of([-1], "extra", shape=(4, 6, 1))).image_shape == (4, None, 1)


def test_labels_come_from_a_seed_of_their_own():
    def of(**changes):
        return contents(labelled.divided({"train": split_of()}, config(**changes))["labelled"])

    assert of() == of(label_seed=0, seed=5) != of(seed=5) == of(label_seed=5)
    assert all(LABELS[value] == label for value, label in of())
    assert [value for value, _ in of()] == chosen(9).tolist()


def test_which_are_unlabelled():
    train = {"train": split_of(), "test": split_of([0, 1, 2], "test")}
    found = labelled.divided(train, config())
    assert found.keys() == {"train", "test", "labelled", "unlabelled"} and train.keys() == {"train", "test"}
    assert found["test"] is train["test"] and values(found["unlabelled"]) == list(range(41))
    without = labelled.divided(train, config(exclude_labelled=True))
    assert sorted(values(without["unlabelled"]) + values(without["labelled"])) == list(range(41))
    assert values(without["labelled"]) == values(found["labelled"])
    extra = {**train, "extra": split_of([0] * 5, "extra", first=100)}
    more = labelled.divided(extra, config(exclude_labelled=True, more_unlabelled="extra", fully_supervised=True))
    assert values(more["unlabelled"]) == values(without["unlabelled"]) + list(range(100, 105))
    assert contents(more["supervised"]) == contents(train["train"])


def test_no_image_is_left_unlabelled():
    with pytest.raises(UserError, match="^--exclude-labelled: ") as caught:
        labelled.divided({"train": split_of()}, config(exclude_labelled=True, num_labels=None))
    assert "\n" not in str(caught.value) and "--num-labels" in str(caught.value)
    extra = {"train": split_of(), "extra": split_of([0] * 5, "extra", first=100)}
    found = labelled.divided(extra, config(exclude_labelled=True, num_labels=None, more_unlabelled="extra"))
    assert values(found["unlabelled"]) == list(range(100, 105))
    batch = next(iter(pipeline.partly_labelled_batches(found, config(), 10)))
    assert sorted(shown(batch["images"])) == sorted(2 * list(range(100, 105)))


# More images without labels, as they are loaded.

class HouseNumbersLike(tfds.core.GeneratorBasedBuilder):
    """A small set with the splits and the features of svhn_cropped."""

    VERSION = tfds.core.Version("1.0.0")
    NUM = {"train": 30, "test": 10, "extra": 20}

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({
            "image": tfds.features.Image(shape=(32, 32, 3)), "label": tfds.features.ClassLabel(num_classes=10)}))

    def _split_generators(self, dl_manager):
        return {split: self._generate_examples(split) for split in self.NUM}

    def _generate_examples(self, split):
        start = {"train": 0, "test": 50, "extra": 100}[split]
        for i in range(self.NUM[split]):
            yield i, {"image": np.full([32, 32, 3], start + i, np.uint8), "label": i % 10}


def test_the_extra_split_of_a_set_of_tensorflow_datasets(tmp_path):
    splits = load.load("house_numbers_like", ("train",), os.fspath(tmp_path), unlabelled=["extra"])
    assert list(splits) == ["train", "extra"]
    found = labelled.divided(splits, config(num_labels=10, more_unlabelled="extra"))
    assert sorted(values(found["unlabelled"])) == [*range(30), *range(100, 120)]
    assert len(found["labelled"].class_names) == 10
    assert sorted(label for _, label in contents(found["labelled"])) == list(range(10))
    assert all(value % 10 == label for value, label in contents(found["labelled"]))
    batch = next(iter(pipeline.partly_labelled_batches(found, config(image_shape=(32, 32), channels=3), 50)))
    assert sorted(shown(batch["images"])) == [*range(30), *range(100, 120)]
    with pytest.raises(UserError, match="lacks the splits extras; it has .*extra"):
        load.load("house_numbers_like", ("train",), os.fspath(tmp_path), unlabelled=["extras"])


@pytest.fixture
def folder(tmp_path):
    """train/CLASS/*.png of values 0 to 5, and unlabelled/ with 100 to 103, one of them deeper."""
    names = [f"train/{name}/{i}.png" for name in ("ant", "bee") for i in range(3)]
    names += [f"unlabelled/{name}.png" for name in ("a", "b", "c", "deep/d")]
    for i, name in enumerate(names):
        images.write_image(tmp_path / name, np.full([4, 4, 1], i if i < 6 else 94 + i, np.uint8))
    return tmp_path


def test_the_sub_folder_unlabelled(folder):
    splits = load.load(str(folder), ("train",), unlabelled=["unlabelled"])
    assert contents(splits["unlabelled"]) == [(100, -1), (101, -1), (102, -1), (103, -1)]
    assert splits["train"].class_names == ("ant", "bee")
    found = labelled.divided(splits, config(num_labels=2, more_unlabelled="unlabelled"))
    assert sorted(values(found["unlabelled"])) == [*range(6), *range(100, 104)]
    assert [label for _, label in contents(found["labelled"])] == [0, 1]
    assert load.load(str(folder), ("train",)).keys() == {"train"}


def test_a_folder_of_classes_with_the_unlabelled_among_them(folder):
    for name in ("ant", "bee"):
        (folder / "train" / name).rename(folder / name)
    (folder / "train").rmdir()
    with pytest.raises(UserError, match="unlabelled counts as one of its classes; needed: the classes in .*train") as e:
        load.load(str(folder), ("train",), unlabelled=["unlabelled"])
    assert "\n" not in str(e.value)


def test_sub_folders_that_are_not_there(folder):
    (folder / "nothing").mkdir()
    for name, words in (("extra", "extra does not exist"), ("nothing", "nothing has no images")):
        with pytest.raises(UserError, match=words) as caught:
            load.load(str(folder), ("train",), unlabelled=[name])
        assert "\n" not in str(caught.value)


# Batches.

def shown(pictures):
    """The values of a batch of images."""
    return np.rint((np.asarray(pictures)[:, 0, 0, 0] + 1) * 127.5).astype(int).tolist()


def batches(num, start=0, batch_size=4, held=True, **changes):
    settings = config(**{"fully_supervised": True, "num_labels": 3, **changes})
    train = split_of(shape=(4, 4, 1) if held else (6, 6, 1))
    found = labelled.divided({"train": train}, settings)
    if not held:  # as if sizes differed: streamed, and cropped at random
        found = {name: dataclasses.replace(split, image_shape=(None, None, 1)) for name, split in found.items()}
    settings = types.SimpleNamespace(**vars(settings), real_batch_size=batch_size, paired=False, adapts=False)
    return list(pipeline.batches(found, settings, start).take(num).as_numpy_iterator())


HELD = pytest.mark.parametrize("held", [True, False])


@HELD
def test_batches_have_the_labels_of_their_images(held):
    for batch in batches(12, held=held):
        assert batch.keys() == {"images", "labelled_images", "labels", "supervised_images", "supervised_labels"}
        for pictures, labels in (("labelled_images", "labels"), ("supervised_images", "supervised_labels")):
            assert batch[pictures].shape == (4, 4, 4, 1) and batch[labels].dtype == np.int64
            assert LABELS[shown(batch[pictures])].tolist() == batch[labels].tolist()
    assert batches(1, fully_supervised=False)[0].keys() == {"images", "labelled_images", "labels"}


@HELD
def test_each_kind_goes_through_whole_epochs_of_its_own(held):
    """3 labelled images are fewer than a batch of 4: each comes once in every 3."""
    found = batches(41, held=held, exclude_labelled=True)
    labels = np.concatenate([batch["labels"] for batch in found])
    assert all(sorted(labels[i:i + 3]) == [0, 1, 2] for i in range(0, 4 * 41 - 3, 3))
    assert len({tuple(labels[i:i + 3]) for i in range(0, 4 * 41 - 3, 3)}) == 6  # in all orders
    unlabelled = sum((shown(batch["images"]) for batch in found), [])
    assert all(sorted(unlabelled[i:i + 38]) == sorted(set(range(41)) - set(chosen(3))) for i in (0, 38, 76))
    supervised = sum((shown(batch["supervised_images"]) for batch in found), [])
    assert all(sorted(supervised[i:i + 41]) == list(range(41)) for i in (0, 41, 82, 123))
    assert supervised[:41] != supervised[41:82]


@HELD
def test_batches_resume_at_any_position(held):
    whole = batches(16, held=held, mirror=True)
    for start in (4, 44):  # within the first epoch of the larger split, and in its second
        for batch, expected in zip(batches(4, start, held=held, mirror=True), whole[start // 4:]):
            for name in expected:
                np.testing.assert_array_equal(batch[name], expected[name])


def test_labels_that_are_not_used_change_no_batch():
    """Those of images that are not chosen might be anything."""
    settings = config()
    found = labelled.divided({"train": split_of()}, settings)
    wrong = split_of(np.where(np.isin(np.arange(41), chosen(9)), LABELS, (LABELS + 1) % 3))
    assert labelled.read_labels(wrong, "zoo").tolist() != LABELS.tolist()
    other = {**found, "train": wrong, "unlabelled": wrong}
    for batch, expected in zip(*(pipeline.partly_labelled_batches(splits, settings, 8).take(12).as_numpy_iterator()
                                 for splits in (found, other))):
        assert batch.keys() == expected.keys() == {"images", "labelled_images", "labels"}
        for name in batch:
            np.testing.assert_array_equal(batch[name], expected[name])
