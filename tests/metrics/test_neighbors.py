"""Precision and recall, density and coverage, and nearest rows: by hand, by scipy, and on copies of rows."""
import numpy as np
import pytest
import scipy.spatial

from tf2gan.metrics import statistics


def sets(num_real=300, num_fake=400, dimensions=16, seed=0):
    random = np.random.default_rng(seed)
    real = random.normal(size=[num_real, dimensions]) @ random.normal(size=[dimensions, dimensions])
    fake = 0.8 * random.normal(size=[num_fake, dimensions]) @ random.normal(size=[dimensions, dimensions])
    return real, fake + random.normal(size=[dimensions])


def balls_by_scipy(real, fake, num_neighbors):
    """precision, recall, density, coverage by kd-trees and whole matrices."""
    inside = []
    for rows, others in ((real, fake), (fake, real)):
        radii = scipy.spatial.cKDTree(rows).query(rows, num_neighbors + 1)[0][:, -1]
        inside.append(scipy.spatial.distance.cdist(rows, others) <= radii[:, None])
    of_real, of_fake = inside
    return (of_real.any(axis=0).mean(), of_fake.any(axis=0).mean(),
            of_real.sum(axis=0).mean() / num_neighbors, of_real.any(axis=1).mean())


def points(*values):
    return np.array(values, np.float64)[:, None]


def test_precision_and_recall_by_hand():
    # Radii of real: 1, 1, 2, 6; so its balls are [-1, 1], [0, 2], [1, 5] and [3, 15].
    real, fake = points(0, 1, 3, 9), points(-5, 2, 20, 30, 4.5)
    # Radii of fake: 7, 2.5, 10, 10, 2.5: [-12, 2], [-0.5, 4.5], [10, 30], [20, 40], [2, 7]: all of real but 9.
    assert statistics.precision_recall(real, fake, 1) == (2 / 5, 3 / 4)
    assert statistics.precision_recall(fake, real, 1) == (3 / 4, 2 / 5)
    # The second neighbours of real are 3, 2, 3 and 8 away, which adds nothing; the balls of fake hold all of real.
    assert statistics.precision_recall(real, fake, 2) == (2 / 5, 1)


def test_density_and_coverage_by_hand():
    real, fake = points(0, 1, 3, 9), points(-5, 2, 20, 30, 4.5)
    # 2 is in [0, 2] and [1, 5], 4.5 in [1, 5] and [3, 15].
    assert statistics.density_coverage(real, fake, 1) == (4 / 5, 3 / 4)
    # Radii of fake as above: 0 is in 2 balls, 1 in 2, 3 in 2, 9 in none; of 5 balls the first two and the last are hit.
    assert statistics.density_coverage(fake, real, 1) == (6 / 4, 3 / 5)
    # Radii 3, 2, 3, 8: [-3, 3], [-1, 3], [0, 6], [1, 17] hold 2; the last two hold 4.5.
    assert statistics.density_coverage(real, fake, 2) == (6 / (2 * 5), 1)


@pytest.mark.parametrize("dimensions", [1, 2, 16])
@pytest.mark.parametrize("num_neighbors", [1, 3, 5])
def test_balls_agree_with_scipy(dimensions, num_neighbors):
    real, fake = sets(dimensions=dimensions)
    precision, recall, density, coverage = balls_by_scipy(real, fake, num_neighbors)
    assert statistics.precision_recall(real, fake, num_neighbors) == (precision, recall)
    assert statistics.density_coverage(real, fake, num_neighbors) == pytest.approx((density, coverage), rel=1e-14)


def test_balls_agree_with_numbers_of_other_implementations():
    """Computed once with Python 3.11, numpy 2.4.6, scikit-learn 1.9.1 and torch 2.13.0, of the same `sets()`."""
    real, fake = sets()
    assert [real.sum(), fake.sum()] == pytest.approx([-22.611540169450514, 1656.4607031425012], rel=1e-10)
    # torch-fidelity 0.4.0, prc_features_to_metric(fake, real) with prc_neighborhood=3; it gives float32
    assert statistics.precision_recall(real, fake) == pytest.approx((0.5400000214576721, 0.05000000074505806), rel=1e-7)
    # prdc 0.2, compute_prdc(real, fake, nearest_k) with 3 and 5
    assert statistics.precision_recall(real, fake, 3) == pytest.approx((0.54, 0.05), rel=1e-12)
    assert statistics.density_coverage(real, fake, 3) == pytest.approx(
        (0.4766666666666666, 0.2833333333333333), rel=1e-12)
    assert statistics.precision_recall(real, fake, 5) == pytest.approx((0.6725, 0.06666666666666667), rel=1e-12)
    assert statistics.density_coverage(real, fake, 5) == pytest.approx((0.477, 0.4066666666666667), rel=1e-12)


@pytest.mark.parametrize("numbers", [1, 1000, 12345])
def test_nothing_depends_on_the_size_of_blocks(monkeypatch, numbers):
    real, fake = sets(50, 70, 5)

    def figures():
        return (statistics.precision_recall(real, fake), statistics.density_coverage(real, fake),
                [array.tolist() for array in statistics.nearest(fake, real, 4)])

    expected = figures()
    monkeypatch.setattr(statistics, "_NUMBERS", numbers)
    assert figures() == expected


def test_shift_rotation_and_scale_change_nothing():
    real, fake = sets()
    turn = 3 * np.linalg.qr(np.random.default_rng(1).normal(size=[16, 16]))[0]
    for function in (statistics.precision_recall, statistics.density_coverage):
        assert function(real @ turn + 1e6, fake @ turn + 1e6) == function(real, fake)
        assert function(real @ turn, fake) != function(real, fake)


@pytest.mark.parametrize("scale, shift", [(1, 0), (1e-3, 0), (1, 1e3), (7.3, -0.1)])
def test_copies_are_in_the_balls_they_belong_to_however_distances_are_rounded(scale, shift):
    random = np.random.default_rng(2)
    real = (random.normal(size=[200, 100]) * scale + shift).astype(np.float32)
    # Every fake row is a real one: on the surface of each ball that reaches just to it, of which there is one a row.
    assert statistics.precision_recall(real, real[::-1], 1) == (1, 1)
    assert statistics.density_coverage(real, real[::-1], 3) == (4 / 3, 1)
    # In smaller sets BLAS adds up in another order. A row is in its own ball and in those it is a neighbour of.
    wide = real.astype(np.float64)
    held = (scipy.spatial.cKDTree(wide).query(wide, 4)[1][:, :, None] == np.arange(10)).any(axis=1).sum(axis=0)
    for i in range(10):
        assert statistics.density_coverage(real, real[i:i + 1], 3) == (held[i] / 3, held[i] / 200)
    # All rows twice: the nearest other row is a copy, so all radii are 0, and a ball holds what its centre is.
    double, half = np.concatenate([real, real]), real[:50]
    assert statistics.precision_recall(double, half, 1) == (1, 1 / 4 + 3 / 4 * recall_of_rest(real, half))
    assert statistics.density_coverage(double, half, 1) == (2, 1 / 4)
    moved = half + np.float32(1e-3 * scale + 1e-3 * abs(shift))
    assert statistics.density_coverage(double, moved, 1) == (0, 0)


def test_what_is_on_a_surface_is_in_the_ball_however_distances_are_rounded():
    random = np.random.default_rng(6)
    places, ways = random.integers(-1000, 1000, [300, 20]), random.integers(-5, 6, [300, 20])
    # Two and two are neighbours, far from others. A fake row is as far from one of them, twice as far from the other.
    real, fake = np.concatenate([places, places + ways]), places - ways
    assert statistics.precision_recall(real, fake, 1) == (1, 1)
    assert statistics.precision_recall(fake, real, 1) == (1, 1)
    assert statistics.density_coverage(real, fake, 1) == (1, 1 / 2)


def recall_of_rest(real, half):
    """The part of real[50:] in the balls of `half`, by scipy."""
    radii = scipy.spatial.cKDTree(half).query(half, 2)[0][:, -1]
    return (scipy.spatial.distance.cdist(half.astype(float), real[50:].astype(float)) <= radii[:, None]).any(0).mean()


def test_a_collapsed_generator_has_precision_but_no_recall():
    real, _ = sets()
    collapsed = np.repeat(real[:1], 200, axis=0)
    assert statistics.precision_recall(real, collapsed, 3) == (1, 1 / 300)
    # Its place is in the balls of those that it is one of the nearest of; 6, with itself.
    balls = (scipy.spatial.cKDTree(real).query(real, 6)[1] == 0).any(axis=1).sum()
    assert balls > 1 and statistics.density_coverage(real, collapsed, 5) == (balls / 5, balls / 300)
    assert statistics.precision_recall(np.zeros([6, 3]), np.zeros([5, 3]), 3) == (1, 1)


@pytest.mark.parametrize("num", [1, 4, 60])
def test_nearest_agrees_with_scipy(num):
    candidates, queries = sets(60, 40, 5)
    expected, neighbors = scipy.spatial.cKDTree(candidates).query(queries, np.arange(1, num + 1))
    indices, distances = statistics.nearest(queries, candidates, num)
    assert indices.dtype == np.int64 and distances.dtype == np.float64
    np.testing.assert_array_equal(indices, neighbors)
    np.testing.assert_allclose(distances, expected, rtol=1e-13)


def test_nearest_of_copies_is_at_distance_0_and_of_equals_the_first():
    random = np.random.default_rng(3)
    base = random.normal(1e4, 1, size=[50, 300]).astype(np.float32)
    indices, distances = statistics.nearest(base[7:9], np.concatenate([base, base + np.float32(1), base]), 3)
    assert indices[:, :2].tolist() == [[7, 107], [8, 108]] and (distances[:, :2] == 0).all()
    assert (distances[:, 2] > 1).all()
    indices, distances = statistics.nearest([[1, 2]], np.tile([[4, 6], [9, 9], [-3, 5]], [99, 1]), 99)
    assert indices[0].tolist() == [i for i in range(150) if i % 3 != 1][:99]
    assert (distances == 5).all()
    # Far from the centre and close together: x^2 - 2 x y + y^2 alone would give noise.
    queries, candidates = np.array([[0.0], [1e6]]), 1e6 + 1e-3 * random.normal(size=[200, 1])
    away = np.abs(queries - candidates.T)
    indices, distances = statistics.nearest(queries, candidates, 5)
    np.testing.assert_array_equal(indices, away.argsort(axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(distances, np.sort(away, axis=1)[:, :5], rtol=1e-13)


def test_nearest_reads_images_of_bytes_as_numbers():
    images = np.random.default_rng(4).integers(0, 256, [30, 12]).astype(np.uint8)
    indices, distances = statistics.nearest(images[:5], 255 - images, 2)
    wide = statistics.nearest(images[:5].astype(np.float64), 255.0 - images, 2)
    assert indices.tolist() == wide[0].tolist() and distances.tolist() == wide[1].tolist()
    assert distances[0, 0] == np.sqrt(np.square(images[0].astype(int) + images[indices[0, 0]] - 255).sum())


def test_float32_is_computed_in_float64():
    real, fake = (rows.astype(np.float32) + np.float32(1000) for rows in sets())
    wide = real.astype(np.float64), fake.astype(np.float64)
    for function in (statistics.precision_recall, statistics.density_coverage):
        assert function(real, fake) == function(*wide)
    assert (statistics.nearest(real, fake)[1] == statistics.nearest(*wide)[1]).all()
    assert (real == sets()[0].astype(np.float32) + np.float32(1000)).all()  # what comes in is left as it is


ROWS, NAN = np.eye(4), np.array([[0, 0, 0, 0], [0, np.nan, 0, 0]])


@pytest.mark.parametrize("call, message", [
    (lambda: statistics.precision_recall(ROWS, ROWS[:3]), "num_neighbors 3 is too much for the 3 rows of fake: at"),
    (lambda: statistics.precision_recall(ROWS, ROWS, 4), "num_neighbors 4 is too much for the 4 rows of real: at most"),
    (lambda: statistics.precision_recall(ROWS, ROWS, 0), "num_neighbors 0 is below 1"),
    (lambda: statistics.precision_recall(ROWS, NAN, 1), "fake is not finite in 1 of 2 rows, first 1"),
    (lambda: statistics.density_coverage(ROWS, ROWS), "num_neighbors 5 is too much for the 4 rows of real: at most 3"),
    (lambda: statistics.density_coverage(ROWS, ROWS[:0]), "fake has too few rows: 0, at least 1 needed"),
    (lambda: statistics.density_coverage(ROWS, ROWS[:, :2], 1), r"other features: real \[4, 4\], fake \[4, 2\]"),
    (lambda: statistics.nearest(ROWS, ROWS, 5), "num 5 is too much for the 4 rows of candidates: at most 4"),
    (lambda: statistics.nearest(ROWS, ROWS, 0), "num 0 is below 1"),
    (lambda: statistics.nearest(ROWS[0], ROWS), r"queries float64 \[4\] is not numbers \[rows, features\]"),
    (lambda: statistics.nearest(ROWS, NAN), "candidates is not finite"),
])
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Authenticity: a fake row is a copy if its nearest real row is nearer to it than to any other real row.

def test_authenticity_by_hand():
    real = [[0.0], [1.0], [4.0]]  # to their own nearest: 1, 1, 3
    fake = [[-0.9], [-1.1], [1.2], [6.9], [7.1]]  # to their nearest: 0.9, 1.1, 0.2, 2.9, 3.1
    assert statistics.authenticity(real, fake) == pytest.approx(2 / 5)


def test_copies_are_not_authentic():
    real = np.random.default_rng(0).normal(size=[50, 3])
    assert statistics.authenticity(real, real[:20]) == 0
    assert statistics.authenticity(np.concatenate([real, real]), real) == 0, "nor are those of images that occur twice"
    assert statistics.authenticity(real, real + 1e-9) == 0
    assert statistics.authenticity(real, real + 100) == 1


def test_of_further_real_rows_about_half_are_copies():
    dice = np.random.default_rng(1)
    found = statistics.authenticity(dice.normal(size=[2000, 5]), dice.normal(size=[2000, 5]))
    assert found == pytest.approx(0.5, abs=0.06)


def test_authenticity_needs_two_rows():
    with pytest.raises(ValueError, match="2"):
        statistics.authenticity([[0.0]], [[1.0]])
