"""The drawn stand-ins for MNIST, SVHN and CIFAR-10: their TFDS builders and what their pictures must be."""
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf2gan.data.synthetic import (
    SyntheticDigits,
    SyntheticHouseNumbers,
    SyntheticObjects,
    render_digit,
    render_house_number,
    render_object,
)

# {name: (builder, what draws its pictures, size, channels, least accuracy of the nearest neighbour)}; the accuracy was
# 0.87, 0.31 and 0.58, where chance is 0.1.
SETS = {"synthetic_digits": (SyntheticDigits, render_digit, 28, 1, 0.8),
        "synthetic_house_numbers": (SyntheticHouseNumbers, render_house_number, 32, 3, 0.25),
        "synthetic_objects": (SyntheticObjects, render_object, 32, 3, 0.5)}
NAMES = pytest.mark.parametrize("name", SETS)


@pytest.fixture(scope="module")
def pictures():
    """{name: (training pictures 0..299, test pictures 0..99)} at the default size."""
    return {name: [np.stack([draw(split, index, size) for index in range(count)])
                   for split, count in (("train", 300), ("test", 100))]
            for name, (_, draw, size, _, _) in SETS.items()}


def difference(first, second):
    """Mean absolute difference in grey levels (0..255)."""
    return np.abs(first.astype(np.float64) - second).mean()


def small(picture):
    """A picture, one pixel for every 4x4."""
    side = len(picture) // 4
    return picture[:side * 4, :side * 4].reshape(side, 4, side, 4, -1).mean((1, 3))


@NAMES
def test_name_and_configs(name):
    builder, _, size, _, _ = SETS[name]
    assert builder.name == name and name in tfds.list_builders(with_community_datasets=False)
    assert [config.name for config in builder.BUILDER_CONFIGS] == [str(size)]
    assert builder.config_for() is builder.config_for(size) is builder.BUILDER_CONFIGS[0]
    assert (builder.config_for(48).name, builder.config_for(48).size) == ("48", 48)
    config = type(builder.config_for())
    assert config(48, 5, 3).name == "48_5_3"  # a directory of its own


def test_the_shared_base_is_no_data_set():
    assert "drawn_set" not in tfds.list_builders(with_community_datasets=False)


@NAMES
def test_bad_arguments_are_refused(name):
    builder, draw, size, _, _ = SETS[name]
    for arguments in [("trainA", 0, size), ("train", -1, size), ("test", 0, 15)]:
        with pytest.raises(ValueError, match="no picture"):
            draw(*arguments)
    for arguments in [(15,), (32, 0), (32, 1, 0)]:
        with pytest.raises(ValueError, match="at least"):
            type(builder.config_for())(*arguments)
    with pytest.raises(ValueError, match="at least 16"):
        builder.config_for(8)


@NAMES
def test_built_splits_hold_the_drawn_pictures(name, tmp_path):
    cls, draw, size, channels, _ = SETS[name]
    counts = {"train": 21, "test": 10}
    config = type(cls.config_for())(size, *counts.values())
    builder = cls(data_dir=str(tmp_path), config=config)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    assert {split: builder.info.splits[split].num_examples for split in builder.info.splits} == counts
    assert builder.info.features["image"].shape == (size, size, channels)
    names = builder.info.features["label"].names
    assert len(names) == 10
    for split, count in counts.items():
        drawn = {draw(split, index, size).tobytes(): index for index in range(count)}
        read = [(example["image"].tobytes(), example["label"])
                for example in tfds.as_numpy(builder.as_dataset(split=split))]
        assert sorted(drawn[image] for image, _ in read) == list(range(count))  # PNG loses nothing
        assert all(label == drawn[image] % 10 for image, label in read)
        assert np.bincount([label for _, label in read]).tolist() == [3] + [2] * 9 if split == "train" else [1] * 10


@NAMES
def test_shape_type_and_range(name, pictures):
    _, draw, size, channels, _ = SETS[name]
    assert pictures[name][0].shape == (300, size, size, channels) and pictures[name][0].dtype == np.uint8
    assert pictures[name][0].min() < 10 and pictures[name][0].max() > 245
    assert draw("train", 0).shape == (size, size, channels)
    assert draw("train", 0, 50).shape == (50, 50, channels)


@NAMES
def test_drawing_is_a_function_of_split_and_index(name, pictures):
    _, draw, size, _, _ = SETS[name]
    for index in (5, 0):  # nothing carries over from another picture
        np.testing.assert_array_equal(draw("train", index, size), pictures[name][0][index])
    # Not even of the same class and index are two pictures alike.
    every = np.concatenate(pictures[name])
    assert len({picture.tobytes() for picture in every}) == len(every)
    first, second = (part[:100].astype(np.float32) for part in pictures[name])
    assert np.abs(first - second).mean((1, 2, 3)).min() > 3


@NAMES
def test_an_index_is_the_same_picture_at_every_size(name):
    draw = SETS[name][1]
    pictures = [small(draw("test", index, 32)) for index in range(20)]
    for index in range(20):
        large = draw("test", index, 64).reshape(32, 2, 32, 2, -1).mean((1, 3))
        distances = [difference(small(large), picture) for picture in pictures]
        assert distances[index] < 3 and np.argmin(distances) == index


@NAMES
def test_classes_can_be_told_apart(name, pictures):
    """By the nearest of 300 pictures: well above chance, and by that of 50 less well, so it is not trivial."""
    train, test = (part.reshape(len(part), -1).astype(np.float32) for part in pictures[name])
    distances = (train ** 2).sum(1) - 2 * test @ train.T
    labels = np.arange(100) % 10
    accuracy = (distances.argmin(1) % 10 == labels).mean()
    assert SETS[name][4] < accuracy < 0.99
    assert (distances[:, :50].argmin(1) % 10 == labels).mean() < accuracy


def test_digits_are_white_on_black_like_mnist(pictures):
    digits = np.concatenate(pictures["synthetic_digits"])[..., 0].astype(np.float64) / 255
    assert abs(digits.mean() - 0.1307) < 0.02 and abs(digits.std() - 0.3081) < 0.02  # MNIST's
    ink = digits > 0.1
    rows, columns = ink.any(2), ink.any(1)
    heights = 28 - rows.argmax(1) - rows[:, ::-1].argmax(1)
    widths = 28 - columns.argmax(1) - columns[:, ::-1].argmax(1)
    longest = np.maximum(heights, widths)
    assert longest.min() >= 16 and longest.max() <= 22  # the box of 20 pixels, its soft edge, and some smaller ones
    assert not (ink[:, [0, -1]].any() or ink[:, :, [0, -1]].any())  # none touches the frame
    middle = (digits * np.arange(28)).sum((1, 2)) / digits.sum((1, 2)) - 13.5
    assert np.abs(middle).max() < 2.5 and abs(middle.mean()) < 0.2


def test_numbers_are_lighter_and_darker_than_their_wall(pictures):
    """A 1 crosses the middle of its picture, and most of that picture is wall."""
    ones = pictures["synthetic_house_numbers"][0][1::10].mean(-1)
    contrast = ones[:, 14:18, 14:18].mean((1, 2)) - np.median(ones, axis=(1, 2))
    assert 0.25 < (contrast > 0).mean() < 0.75
