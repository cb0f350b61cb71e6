"""`synthetic_outlines`: the outline tells the shape, and all but the colour of the fruit."""
import colorsys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tf2gan.data.synthetic import SyntheticOutlines, outlines, render_fruit, render_outline


def body(index, size=48):
    """Where the fruit is, but for its edge: what its outline encloses, seen from its middle."""
    first, second = (render_fruit("train", index, size, answer) for answer in (0, 1))
    return np.abs(first.astype(int) - second).sum(-1) > 12


def test_answers_differ_in_the_colour_of_the_body_alone():
    for index in range(12):
        ink = render_outline("train", index, 48).min(-1) < 120
        inside = body(index)
        assert 0.1 < inside.mean() < 0.6
        rows, columns = np.nonzero(inside)
        drawn = np.nonzero(ink)
        assert abs(rows.min() - drawn[0].min()) < 24 and abs(rows.max() - drawn[0].max()) <= 1
        assert drawn[1].min() <= columns.min() + 1 and columns.max() - 1 <= drawn[1].max()


def test_colours_are_all_around_the_circle():
    hues = []
    for answer in range(200):
        pixel = render_fruit("train", 4, 16, answer)[8, 8] / 255
        hues.append(colorsys.rgb_to_hsv(*pixel)[0])
    counts = np.histogram(hues, bins=6, range=(0, 1))[0]
    assert counts.min() > 15 and counts.sum() == 200


def test_pictures_are_functions_of_their_arguments():
    for draw in (render_fruit, render_outline):
        first = draw("test", 3)
        assert first.shape == (64, 64, 3) and first.dtype == np.uint8
        np.testing.assert_array_equal(first, draw("test", 3))
        assert np.abs(first.astype(int) - draw("train", 3)).max() > 50
        assert np.abs(first.astype(int) - draw("test", 4)).max() > 50
    larger = render_outline("test", 3, 128).reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(larger - render_outline("test", 3)).mean() < 6


@pytest.mark.parametrize("arguments", [("trainA", 0), ("train", -1), ("test", 0, 15), ("test", 0, 32, -1)])
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match="no picture|answer must be"):
        render_fruit(*arguments)


def test_no_fruit_of_a_split_is_that_of_an_outline(tmp_path):
    assert "synthetic_outlines" in tfds.list_builders(with_community_datasets=False)
    builder = SyntheticOutlines(data_dir=str(tmp_path), config=outlines.OutlinesConfig(32, 6, 2))
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
    data = {split: sorted(example["image"].tobytes() for example in tfds.as_numpy(builder.as_dataset(split)))
            for split in SyntheticOutlines.SPLITS}
    for split, draw, number, remainder in (("trainA", render_outline, 6, 0), ("trainB", render_fruit, 6, 1),
                                           ("testA", render_outline, 2, 0), ("testB", render_fruit, 2, 1)):
        assert data[split] == sorted(draw(split[:-1], 2 * i + remainder, 32).tobytes() for i in range(number))
