"""Sliced Wasserstein distance: pyramids, patches, closed forms, the released code's numbers."""
import math

import numpy as np
import pytest

from tf2gan.metrics.sliced_wasserstein import (
    Descriptors,
    laplacian_pyramid,
    level_sizes,
    projected_distances,
    sliced_wasserstein,
)


def textures(num, shape, seed, grain=3):
    noise = np.random.default_rng(seed).integers(0, 256, [num, *shape])
    return (sum(np.roll(noise, i, axis=(1, 2)) for i in range(grain)) // grain).astype(np.uint8)


def described(images, seed=0, patches=128):
    return Descriptors(images.shape[1:], seed, patches).add(images).arrays()


def unit(num, size, seed=0):
    directions = np.random.default_rng(seed).standard_normal([num, size])
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


# Pyramids.

def test_level_sizes():
    assert level_sizes(28, 28) == [(28, 28)] and level_sizes(24, 24) == [(24, 24)]
    assert level_sizes(48, 48) == [(48, 48), (24, 24)]
    assert level_sizes(33, 70) == [(33, 70), (17, 35)]
    assert [size for size, _ in level_sizes(128, 128)] == [128, 64, 32, 16]
    with pytest.raises(ValueError, match="images of 40x15 are too small .* at least 16x16"):
        level_sizes(40, 15)


@pytest.mark.parametrize("size", [(64, 64), (33, 50), (35, 37)])
def test_a_constant_image_has_only_the_last_level(size):
    *fine, last = laplacian_pyramid(np.full([2, *size, 3], 77, np.uint8))
    assert fine and all(np.abs(level).max() < 1e-12 for level in fine)
    np.testing.assert_allclose(last, 77, rtol=1e-14)


def test_a_point():
    image = np.zeros([1, 32, 32, 1])
    image[0, 16, 16] = 256
    fine, coarse = laplacian_pyramid(image)
    assert coarse[0, 8, 8] == 36 and coarse[0, 8, 9] == 6 and coarse[0, 7, 9] == 1 and coarse.sum() == 64
    # Upwards: 6/8 of a sample and 1/8 of both neighbours along each axis.
    assert fine[0, 16, 16, 0] == 256 - (36 * 36 + 4 * 6 * 6 + 4) / 64 and abs(fine.sum()) < 1e-9


def test_pyramid_of_the_released_code():
    """generate_laplacian_pyramid of tkarras/progressive_growing_of_gans at 1c5876c, metrics/sliced_wasserstein.py, run
    once with its float32 made float64: the sum of squares of each level, and two values. As released it differs by
    7.6e-6 at most, the rounding of float32."""
    levels = laplacian_pyramid(textures(2, (64, 64, 3), 0))
    found = [[(level ** 2).sum(), level[1, 0, -1, 2], level[0, -1, 3, 0]] for level in levels]
    np.testing.assert_allclose(found, [[35646059.67711693, 37.5146484375, -11.890625],
                                       [980763.4192859174, 3.311065673828125, -3.5408248901367188],
                                       [24813807.98573635, 133.10086059570312, 122.59286499023438]], rtol=1e-12)


# Patches.

@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 40, 3), (35, 33, 1)])
def test_descriptors_do_not_depend_on_the_batch_size(shape):
    images = textures(9, shape, 0)
    whole = described(images, patches=10)
    for size in (1, 4):
        descriptors = Descriptors(shape, 0, 10)
        for start in range(0, 9, size):
            descriptors.add(images[start:start + size])
            descriptors.arrays()  # may be looked at in between
        for level, array in descriptors.arrays().items():
            np.testing.assert_array_equal(array, whole[level])
    assert list(whole) == [min(size) for size in level_sizes(*shape[:2])]
    assert all(array.shape == (90, 49 * shape[2]) and array.dtype == np.float32 for array in whole.values())
    assert (described(images, 1, 10)[min(shape[:2])] != whole[min(shape[:2])]).mean() > 0.5


def test_patches_are_pieces_of_their_own_image_from_everywhere():
    pixels = np.arange(20 * 24 * 3).reshape(20, 24, 3)
    low, high = (pixels % 251).astype(np.uint8), (pixels // 251).astype(np.uint8)  # two images tell every place
    lows, highs = (described(np.stack([image] * 3), patches=400)[20] for image in (low, high))
    patches = (highs * 251 + lows).astype(int).reshape(3, 400, 7, 7, 3)
    rows, columns = np.divmod(patches[..., 0, 0, 0] // 3, 24)
    for image, patch in ((0, 0), (1, 7), (2, 399)):
        y, x = rows[image, patch], columns[image, patch]
        np.testing.assert_array_equal(patches[image, patch], pixels[y:y + 7, x:x + 7])
    assert set(rows.ravel()) == set(range(14)) and set(columns.ravel()) == set(range(18))
    assert (rows[0] != rows[1]).mean() > 0.5 and (rows[1] != rows[2]).mean() > 0.5


def test_other_images_are_refused():
    for images in (textures(2, (28, 28, 3), 0), textures(2, (28, 28, 1), 0).astype(np.float32)):
        with pytest.raises(ValueError, match=r"are not uint8 \['n', 28, 28, 1\]"):
            Descriptors((28, 28, 1)).add(images)
    with pytest.raises(ValueError, match="too small"):
        Descriptors((15, 28, 1))
    with pytest.raises(ValueError, match="at least 1"):
        Descriptors((28, 28, 1), patches=0)
    with pytest.raises(ValueError, match="no images"):
        Descriptors((28, 28, 1)).arrays()


# Distances.

def test_equal_sets_in_any_order_and_brightness():
    images = textures(6, (32, 32, 3), 0) // 2
    real, brighter = described(images), described(images + 100)
    assert sliced_wasserstein(real, real) == {"swd_32": 0, "swd_16": 0, "swd": 0}
    shuffled = {level: array[::-1] for level, array in real.items()}
    assert sliced_wasserstein(real, shuffled)["swd"] < 1e-9
    assert sliced_wasserstein(real, brighter)["swd"] < 1e-9
    assert sliced_wasserstein(real, described(images * 2))["swd"] < 1e-9


def test_closed_form():
    """Patches of one value v each, v = +-1 against 0 (half), +-sqrt 2 (a quarter each): both normalized already. Along
    w the distance is |sum w| sqrt(2) / 2, and E|sum w| = 7 Gamma(49/2) / (sqrt(pi) Gamma(25)) over all directions."""
    real = np.repeat([[-1.0], [1.0]] * 4, 49, axis=1)
    fake = np.repeat(np.sqrt(2) * np.array([[0], [-1], [0], [1]] * 2), 49, axis=1)
    directions = unit(20, 49)
    np.testing.assert_allclose(projected_distances(real, fake, directions),
                               np.abs(directions.sum(axis=1)) * np.sqrt(2) / 2, rtol=1e-12)
    mean = 7 * math.exp(math.lgamma(24.5) - math.lgamma(25)) / math.sqrt(math.pi)
    found = sliced_wasserstein({28: real}, {28: fake}, num_directions=8000)
    assert found["swd"] == found["swd_28"] == pytest.approx(1000 * mean * math.sqrt(2) / 2, rel=0.025)  # 3 errors


def test_plain_float64():
    """Normalization, projection, sorting, all at once and without threads; several blocks of rows and channels."""
    draw = np.random.default_rng(0)
    real, fake = (draw.gamma(shape, 30, [70000, 98]).astype(np.float32) for shape in (1.0, 2.0))
    directions, sides = unit(3, 98), []
    for points in (real, fake):
        points = points.astype(np.float64).reshape(-1, 49, 2)
        points = (points - points.mean(axis=(0, 1))) / points.std(axis=(0, 1))
        sides.append(np.sort(points.reshape(-1, 98) @ directions.T, axis=0))
    expected = np.abs(sides[0] - sides[1]).mean(axis=0)
    assert expected.min() > 1e-3
    np.testing.assert_allclose(projected_distances(real, fake, directions), expected, rtol=1e-8)
    np.testing.assert_allclose(projected_distances(fake, real, directions), expected, rtol=1e-8)


def test_a_set_without_spread_is_a_point():
    real, fake = described(textures(3, (28, 28, 1), 0)), described(np.zeros([3, 28, 28, 1], np.uint8))
    points = real[28].astype(np.float64)
    points = (points - points.mean()) / points.std()
    directions = unit(4, 49)
    np.testing.assert_allclose(projected_distances(real[28], fake[28], directions),
                               np.abs(points @ directions.T).mean(axis=0), rtol=1e-8)


def test_blocks_of_directions_change_nothing(monkeypatch):
    real, fake = (described(textures(4, (28, 28, 1), seed), seed) for seed in (0, 1))
    expected = projected_distances(real[28], fake[28], unit(11, 49))
    monkeypatch.setattr("tf2gan.metrics.sliced_wasserstein._PROJECTIONS", 4 * 512)
    np.testing.assert_allclose(projected_distances(real[28], fake[28], unit(11, 49)), expected, rtol=1e-12)


def test_sets_that_cannot_be_compared():
    real = described(textures(3, (28, 28, 1), 0))
    with pytest.raises(ValueError, match=r"\[384, 49\] and \[256, 49\] are not two of one shape"):
        sliced_wasserstein(real, described(textures(2, (28, 28, 1), 0)))
    with pytest.raises(ValueError, match=r"levels \[28\] cannot be compared with those of \[32, 16\]"):
        sliced_wasserstein(real, described(textures(3, (32, 32, 1), 0)))
    with pytest.raises(ValueError, match="not finite"):
        sliced_wasserstein(real, {28: real[28] + np.float32("nan")})


# The released code, as above, on textures of 40 images, 32x32x3.

@pytest.fixture(scope="module")
def two_sets():
    return textures(40, (32, 32, 3), 1), textures(40, (32, 32, 3), 2, grain=4)


def test_distances_of_the_released_code_for_the_same_patches_and_directions(two_sets):
    """Its finalize_descriptors and sliced_wasserstein on these patches as float64, with these directions, which it
    rounds to float32. On float32 patches, as released, it gives 30.3998 and 47.7772: its means are float32 sums."""
    found = sliced_wasserstein(*(described(images, seed) for seed, images in enumerate(two_sets)))
    assert found["swd_32"] == pytest.approx(30.39907163420568, rel=1e-8)
    assert found["swd_16"] == pytest.approx(47.77313584348109, rel=1e-8)
    assert found["swd"] == (found["swd_32"] + found["swd_16"]) / 2


def test_distances_of_the_released_code_on_average(two_sets):
    """24 runs as released: means 30.181 and 48.075, standard deviations 0.845 and 1.991, over its own dice."""
    runs = [sliced_wasserstein(*(described(images, 2 * seed + i) for i, images in enumerate(two_sets)), seed=seed)
            for seed in range(6)]
    for name, mean, deviation in (("swd_32", 30.181, 0.845), ("swd_16", 48.075, 1.991)):
        found = np.mean([run[name] for run in runs])
        assert abs(found - mean) < 3 * deviation * np.sqrt(1 / 24 + 1 / 6)
