"""The synthetic apple/orange set: its TFDS builder and what its pictures must be."""
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf2gan.data.synthetic import SyntheticApple2orange, SyntheticConfig, render_scene

SIZE, NUM_TRAIN, NUM_TEST = 32, 5, 3


def _difference(first, second):
    """Mean absolute difference in grey levels (0..255)."""
    return np.abs(first.astype(np.float64) - second).mean()


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """The built set; every attempt to connect while building it is an error."""
    attempts = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, lambda *args: attempts.append(args) or 1)
        patch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: attempts.append(args) or [])
        made = SyntheticApple2orange(data_dir=str(tmp_path_factory.mktemp("tfds")),
                                     config=SyntheticConfig(SIZE, NUM_TRAIN, NUM_TEST))
        made.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    assert not attempts
    return made


def test_importing_the_package_registers_the_builder():
    script = ("import tensorflow_datasets as tfds; before = 'synthetic_apple2orange' in tfds.list_builders();"
              "import tf2gan.data.synthetic;"
              "print(before, tfds.builder_cls('synthetic_apple2orange').__name__)")
    output = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True,
                            universal_newlines=True).stdout
    assert output.split() == ["False", "SyntheticApple2orange"]


def test_name_and_configs():
    assert SyntheticApple2orange.name == "synthetic_apple2orange"
    assert [config.name for config in SyntheticApple2orange.BUILDER_CONFIGS] == ["256"]
    for size in (256, 64):
        config = SyntheticApple2orange.config_for(size)
        assert (config.name, config.size, config.num_train, config.num_test) == (str(size), size, 400, 60)
    assert str(SyntheticApple2orange.VERSION) in SyntheticApple2orange.RELEASE_NOTES


def test_counts_get_a_directory_of_their_own():
    assert SyntheticConfig(64, 5, 3).name != SyntheticConfig(64, 5, 4).name != SyntheticApple2orange.config_for(64).name


@pytest.mark.parametrize("size", [256, 48])
def test_configs_are_accepted_by_the_builder(tmp_path, size):
    made = SyntheticApple2orange(data_dir=str(tmp_path), config=SyntheticApple2orange.config_for(size))
    assert made.info.full_name == f"synthetic_apple2orange/{size}/1.0.0"
    assert made.info.features["image"].shape == (size, size, 3)


def test_bad_arguments_are_refused():
    for arguments in [(31,), (64, 0), (64, 1, 0)]:
        with pytest.raises(ValueError, match="at least"):
            SyntheticConfig(*arguments)
    with pytest.raises(ValueError, match="at least 32"):
        SyntheticApple2orange.config_for(16)
    for arguments in [("train", 0, 64), ("trainA", -1, 64), ("trainA", 0, 31)]:
        with pytest.raises(ValueError, match="no picture"):
            render_scene(*arguments)


def test_built_splits_hold_the_rendered_pictures(builder):
    counts = {split: builder.info.splits[split].num_examples for split in builder.info.splits}
    assert counts == {"trainA": NUM_TRAIN, "trainB": NUM_TRAIN, "testA": NUM_TEST, "testB": NUM_TEST}
    assert builder.info.features["label"].names == ["A", "B"]
    for split, count in counts.items():
        rendered = np.stack([render_scene(split, index, SIZE)[0] for index in range(count)])
        found = set()
        for example in tfds.as_numpy(builder.as_dataset(split=split)):
            assert example["image"].shape == (SIZE, SIZE, 3) and example["image"].dtype == np.uint8
            assert example["label"] == (0 if split.endswith("A") else 1)
            distances = [_difference(example["image"], picture) for picture in rendered]
            assert min(distances) < 4  # what JPEG loses
            found.add(int(np.argmin(distances)))
        assert found == set(range(count))


def test_rendering_is_a_function_of_split_and_index():
    picture, cover = render_scene("trainA", 3, 64)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
    assert cover.shape == (64, 64) and cover.dtype == np.float32 and 0 <= cover.min() < cover.max() <= 1
    render_scene("testB", 1, 48)  # nothing carries over from another picture
    again, cover_again = render_scene("trainA", 3, 64)
    np.testing.assert_array_equal(picture, again)
    np.testing.assert_array_equal(cover, cover_again)
    for other in [("trainA", 4), ("trainB", 3), ("testA", 3)]:
        assert _difference(picture, render_scene(*other, 64)[0]) > 15


@pytest.mark.parametrize("split", ["trainA", "trainB"])
def test_an_index_is_the_same_scene_at_every_size(split):
    small = [render_scene(split, index, 64) for index in range(8)]
    for index in range(8):
        picture, cover = render_scene(split, index, 128)
        picture = picture.reshape(64, 2, 64, 2, 3).mean((1, 3))
        cover = cover.reshape(64, 2, 64, 2).mean((1, 3))
        assert np.abs(cover - small[index][1]).mean() < 0.01
        distances = [_difference(picture, other) for other, _ in small]
        assert distances[index] < 8
        assert min(distances[:index] + distances[index + 1:]) > 20


def test_a_fruit_seen_from_the_side_has_no_holes():
    # A single apple without a leaf, its dimples seen edge-on, where the search for the surface is slowest.
    cover = render_scene("trainA", 19, 256)[1] > 0.5
    filled = np.maximum.accumulate(cover, axis=1) & np.maximum.accumulate(cover[:, ::-1], axis=1)[:, ::-1]
    assert cover.sum() > 10000
    assert (filled & ~cover).sum() < 20


@pytest.fixture(scope="module")
def domains():
    """For A and B: mean colours (0..1) of the fruit and of the background, and the part fruit covers, per picture."""
    result = {}
    for domain in "AB":
        fruit, background, covered = [], [], []
        for index in range(80):
            picture, cover = render_scene("train" + domain, index, 32)
            fruit.append(picture[cover > 0.95].mean(0) / 255)
            background.append(picture[cover < 0.05].mean(0) / 255)
            covered.append(cover.mean())
        result[domain] = np.array(fruit), np.array(background), np.array(covered)
    return result


def test_skin_differs_between_the_domains(domains):
    apples, oranges = domains["A"][0], domains["B"][0]
    yellowness = [colors[:, 1] / colors[:, 0] for colors in (apples, oranges)]  # 0 is red, 0.6 orange, 1 yellow
    assert np.median(yellowness[0]) < 0.5 and 0.5 < yellowness[1].min() and yellowness[1].max() < 0.85
    # Mostly red apples, but also others.
    assert 0.5 < (yellowness[0] < 0.5).mean() < 0.95 and (yellowness[0] > 0.8).any()
    spread = np.sqrt((apples.var(0) + oranges.var(0)) / 2)
    assert ((oranges.mean(0) - apples.mean(0)) / spread)[:2].min() > 1.2


def test_backgrounds_and_layout_do_not_differ(domains):
    for apples, oranges in zip(domains["A"][1:], domains["B"][1:]):
        error = np.sqrt((apples.var(0) + oranges.var(0)) / len(apples))
        assert (np.abs(apples.mean(0) - oranges.mean(0)) < 2.8 * error).all()
        ratio = apples.std(0) / oranges.std(0)
        assert (ratio > 0.7).all() and (ratio < 1.4).all()
    assert domains["A"][1].std(0).min() > 0.08  # varied, or the comparison says nothing
