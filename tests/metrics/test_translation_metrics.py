"""Measures of translation against values known beforehand."""
import numpy as np
import pytest

from tf2gan.metrics.translation import ColorHistogram, absolute_errors, lab, lab_errors, mean_absolute_error


def test_mean_absolute_error_is_in_units_of_the_range_0_to_1():
    black, white = np.full([2, 4, 4, 3], -1.0), np.full([2, 4, 4, 3], 1.0)
    assert mean_absolute_error(black, white) == 1
    assert mean_absolute_error(white, white) == 0
    half = white.copy()
    half[:, :2] = 0
    assert mean_absolute_error(half, white) == 0.25


def test_mean_absolute_error_refuses_shapes_that_would_broadcast():
    with pytest.raises(ValueError, match="cannot be compared"):
        mean_absolute_error(np.zeros([2, 4, 4, 3]), np.zeros([1, 4, 4, 3]))


def test_errors_of_each_pair():
    images, targets = np.zeros([2, 4, 4, 3], np.uint8), np.zeros([2, 4, 4, 3], np.uint8)
    targets[1, :2] = 200  # as unsigned bytes the difference would be 56
    np.testing.assert_array_equal(absolute_errors(images, targets), [0, 100])


def test_lab():
    """The primaries, white, black and a dark and a light grey, as tables of sRGB in CIELAB (D65) have them."""
    rgb = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [3, 3, 3], [119, 119, 119]]
    expected = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0],
                [0.82, 0, 0], [50.03, 0, 0]]
    found = lab(np.array(rgb, np.uint8)[np.newaxis])
    np.testing.assert_allclose(found[0], expected, atol=0.02)
    white, red = (np.broadcast_to(np.array(color, np.uint8), [2, 3, 3, 3]) for color in (rgb[3], rgb[0]))
    np.testing.assert_allclose(lab_errors(red, white), (100 - 53.24 + 80.09 + 67.20) / 3, atol=0.02)


def colors(*rgb):
    return np.array(rgb, np.float32).reshape(1, 1, -1, 3) * 2 - 1


def test_color_distance_of_known_mixtures():
    red, blue = [1, 0, 0], [0, 0, 1]
    reds = ColorHistogram().add(colors(red, red, red, red))
    mixed = ColorHistogram().add(colors(red, blue, blue, blue))
    assert reds.distance(ColorHistogram().add(colors(blue))) == 1
    assert reds.distance(ColorHistogram().add(colors(red))) == 0
    assert reds.distance(mixed) == mixed.distance(reds) == 0.75


def test_color_histogram_is_joint_not_of_single_channels():
    one = ColorHistogram().add(colors([1, 0, 0], [0, 1, 0]))
    other = ColorHistogram().add(colors([1, 1, 0], [0, 0, 0]))
    assert one.distance(other) == 1


def test_color_histogram_does_not_depend_on_batches():
    images = np.random.default_rng(0).uniform(-1, 1, [10, 8, 8, 3])
    parts = ColorHistogram().add(images[:3]).add(images[3:])
    assert (parts.counts == ColorHistogram().add(images).counts).all()
    assert parts.counts.sum() == 10 * 8 * 8
    assert (parts.counts > 0).sum() > 300  # uniform colours reach most of the 512 cells


def test_the_brightest_value_is_in_the_last_bin():
    assert ColorHistogram().add(colors([1, 1, 1])).counts[-1] == 1
