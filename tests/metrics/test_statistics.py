"""Inception score, FID, KID and class shares against closed forms, scipy and other implementations' numbers."""
import itertools

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from tf2gan.metrics import statistics


def exact_normal(mean, covariance, num, seed):
    """`num` rows with exactly this sample mean and sample covariance (ddof=1)."""
    rows = np.random.default_rng(seed).normal(size=[num, len(mean)])
    rows -= rows.mean(axis=0)
    white = rows @ np.linalg.inv(np.linalg.cholesky(np.cov(rows, rowvar=False)).T)
    return white @ np.linalg.cholesky(covariance).T + mean


def distance_by_scipy(real, fake):
    shift = real.mean(axis=0) - fake.mean(axis=0)
    first, second = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    return shift @ shift + np.trace(first + second - 2 * scipy.linalg.sqrtm(first @ second).real)


def reference_sets():
    """What the numbers below were computed of: features [300, 16] and [400, 16], logits [1000, 10]."""
    random = np.random.default_rng(0)
    real = random.normal(size=[300, 16]) @ random.normal(size=[16, 16])
    fake = 0.8 * random.normal(size=[400, 16]) @ random.normal(size=[16, 16]) + random.normal(size=[16])
    return real, fake, 3 * random.normal(size=[1000, 10])


def test_inception_score_of_known_predictions():
    ones = np.eye(4)[np.arange(40) % 4]
    assert statistics.inception_score(ones, 10) == pytest.approx((4, 0), abs=1e-14)
    assert statistics.inception_score(np.tile([0.7, 0.2, 0.1, 0.0], [40, 1])) == pytest.approx((1, 0), abs=1e-14)
    assert statistics.inception_score(np.eye(4)[np.zeros(40, int)]) == (1, 0)
    # Contiguous splits of 3, 2 and 2 rows, which see 3, 1 and 2 classes.
    ones = np.eye(5)[[0, 1, 2, 4, 4, 4, 3]]
    assert statistics.inception_score(ones, 3) == pytest.approx((2, np.std([3, 1, 2])))
    # p(y) = (3/4, 1/4): KL is log(4/3) for the first and log(2/3)/2 + log(2)/2 for the second.
    value, _ = statistics.inception_score([[1, 0], [0.5, 0.5]], 1)
    assert value == pytest.approx(np.exp((np.log(4 / 3) + np.log(2 / 3) / 2 + np.log(2) / 2) / 2), rel=1e-14)


def test_inception_score_agrees_with_scipy():
    probabilities = np.random.default_rng(1).dirichlet(np.full(7, 0.2), 50)
    probabilities[:10, 0] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    scores = [np.exp(np.mean([scipy.stats.entropy(p, split.mean(axis=0)) for p in split]))
              for split in np.split(probabilities, 5)]
    assert statistics.inception_score(probabilities, 5) == pytest.approx((np.mean(scores), np.std(scores)), rel=1e-12)
    shuffled = probabilities[np.random.default_rng(2).permutation(50)]
    assert statistics.inception_score(shuffled, 5) != pytest.approx((np.mean(scores), np.std(scores)), rel=1e-3)
    assert statistics.inception_score(shuffled, 1) == pytest.approx(statistics.inception_score(probabilities, 1))


def test_frechet_distance_of_two_gaussians():
    mean, other = np.array([1.0, -2.0, 0.5]), np.array([0.0, 1.0, 3.0])
    first, second = np.diag([4.0, 9.0, 0.25]), np.diag([1.0, 16.0, 4.0])
    real, fake = exact_normal(mean, first, 50, 0), exact_normal(other, second, 40, 1)
    # Covariances that commute: tr(C_r + C_f - 2 (C_r C_f)^(1/2)) is the sum of (s_r - s_f)^2.
    expected = (1 + 9 + 6.25) + (2 - 1) ** 2 + (3 - 4) ** 2 + (0.5 - 2) ** 2
    assert statistics.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-12)
    # [[2, 1], [1, 2]] and diag(1, 4) do not commute. In 2 dimensions tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)).
    first, second = np.array([[2.0, 1.0], [1.0, 2.0]]), np.diag([1.0, 4.0])
    real, fake = exact_normal(mean[:2], first, 30, 2), exact_normal(mean[:2], second, 20, 3)
    expected = 4 + 5 - 2 * np.sqrt(10 + 2 * np.sqrt(3 * 4))
    assert statistics.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-12)


def test_frechet_distance_of_one_feature():
    real, fake = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0], [3.0]])
    assert statistics.frechet_distance(real, fake) == pytest.approx((1 - 3) ** 2 + (np.sqrt(2) - 2) ** 2, rel=1e-14)


def test_frechet_distance_agrees_with_scipy():
    real, fake, _ = reference_sets()
    assert statistics.frechet_distance(real, fake) == pytest.approx(distance_by_scipy(real, fake), rel=1e-10)
    assert statistics.frechet_distance(fake, real) == pytest.approx(distance_by_scipy(real, fake), rel=1e-10)


def test_frechet_distance_survives_singular_covariances():
    random = np.random.default_rng(4)
    # Real varies in features 0 and 1 only, fake in 1 and 2: the root of C_r C_f has the one entry s_r s_f = 3 * 5.
    real = np.pad(exact_normal(np.zeros(2), np.diag([4.0, 9.0]), 20, 0), [[0, 0], [0, 60]])
    fake = np.pad(exact_normal(np.zeros(2), np.diag([25.0, 1.0]), 30, 1), [[0, 0], [1, 59]])
    assert statistics.frechet_distance(real, fake) == pytest.approx(13 + 26 - 2 * 15, rel=1e-12)
    # Fewer rows than features: the distance is that in the space that the rows span, turned into 40 dimensions.
    turn = np.linalg.qr(random.normal(size=[40, 40]))[0]
    real, fake = random.normal(size=[12, 5]) @ turn[:5], random.normal(size=[9, 5]) @ turn[:5] + turn[0]
    expected = distance_by_scipy(real @ turn[:5].T, fake @ turn[:5].T)
    assert statistics.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-10)
    assert statistics.frechet_distance(real, np.repeat(fake[:1], 7, axis=0)) == pytest.approx(
        np.square(real.mean(axis=0) - fake[0]).sum() + np.trace(np.cov(real, rowvar=False)), rel=1e-12)


@pytest.mark.parametrize("num, dimensions", [(100, 8), (8, 100), (2, 3)])
def test_frechet_distance_of_a_set_from_itself_is_zero_and_from_a_moved_one_the_way(num, dimensions):
    random = np.random.default_rng(5)
    for _ in range(20):  # rounding would put about every second below 0
        rows = 100 * random.normal(size=[num, dimensions])
        assert 0 <= statistics.frechet_distance(rows, rows[::-1]) <= 1e-14 * np.square(rows).sum()
    assert statistics.frechet_distance(rows, rows + 3) == pytest.approx(9 * dimensions, rel=1e-9)


def test_frechet_distance_does_not_change_with_shift_and_rotation():
    real, fake, _ = reference_sets()
    turn = np.linalg.qr(np.random.default_rng(6).normal(size=[16, 16]))[0]
    expected = statistics.frechet_distance(real, fake)
    assert statistics.frechet_distance(real @ turn + 7, fake @ turn + 7) == pytest.approx(expected, rel=1e-10)
    assert statistics.frechet_distance(real @ turn, fake) != pytest.approx(expected, rel=1e-2)


def test_kernel_distance_computed_by_hand():
    # d = 1: k(0, 0) = 1, k(1, 2) = 3^3, k(0, 3) = 1, ...
    real, fake = [[0.0], [1.0]], [[2.0], [-1.0]]
    # Within real k(0, 1) = 1, within fake k(2, -1) = (-1)^3, between: k(0, .) = 1, k(1, 2) = 27, k(1, -1) = 0.
    assert statistics.kernel_distance(real, fake, 1, 2) == (1 - 1 - 2 * (1 + 1 + 27 + 0) / 4, 0)
    # d = 2: within real (3/2 + 1)^3, within fake 0^3; between (2/2 + 1)^3, 1, (2/2 + 1)^3, (-1/2 + 1)^3.
    real, fake = [[2, 0], [1.5, 1]], [[1, 0.5], [-2, 1]]
    within, between = 2.5 ** 3 + (-1.5 / 2 + 1) ** 3, [2.0 ** 3, (-4 / 2 + 1) ** 3, 2.0 ** 3, (-2 / 2 + 1) ** 3]
    assert statistics.kernel_distance(real, fake, 1, 2) == pytest.approx((within - 2 * np.mean(between), 0), rel=1e-14)


def test_kernel_distance_averages_subsets_of_both_sets():
    """The mean over all pairs of subsets is the estimate from all rows, in which each pair of rows counts the same."""
    random = np.random.default_rng(7)
    real, fake = random.normal(size=[5, 2]), random.normal(size=[5, 2]) + 0.5
    every = [statistics.kernel_distance(real[list(i)], fake[list(j)], 1, 3)[0]
             for i in itertools.combinations(range(5), 3) for j in itertools.combinations(range(5), 3)]
    full, deviation = statistics.kernel_distance(real, fake, 1, 5)
    assert (full, deviation) == (pytest.approx(np.mean(every), rel=1e-12), 0)
    mean, deviation = statistics.kernel_distance(real, fake, 3000, 3)
    assert mean == pytest.approx(full, abs=4 * np.std(every) / np.sqrt(3000))
    assert deviation == pytest.approx(np.std(every), rel=0.1)
    drawn = {round(statistics.kernel_distance(real, fake, 1, 3, seed)[0], 9) for seed in range(300)}
    assert len(drawn) > 80 and drawn <= {round(value, 9) for value in every}  # of 100: subsets, none with a row twice


def test_kernel_distance_is_a_function_of_the_seed_and_leaves_numpys_own_state():
    real, fake, _ = reference_sets()
    np.random.seed(0)
    state = np.random.get_state()[1].tolist()
    first = statistics.kernel_distance(real, fake, 3, 50, seed=1)
    assert np.random.get_state()[1].tolist() == state
    np.random.seed(9)
    assert statistics.kernel_distance(real, fake, 3, 50, seed=1) == first
    assert statistics.kernel_distance(real, fake, 3, 50, seed=2) != first
    assert first[1] > 0


def test_kernel_distance_is_unbiased():
    """Of 400 draws of equal distributions the mean is 0 within 4 of its deviations, and many are below."""
    random = np.random.default_rng(8)
    values = np.array([statistics.kernel_distance(*random.normal(size=[2, 20, 4]), 1, 20)[0] for _ in range(400)])
    assert abs(values.mean()) < 4 * values.std() / 20 < values.std() / 4
    assert (values < 0).mean() > 0.3


def test_numbers_of_other_implementations():
    """Computed once with Python 3.11, numpy 2.4.6, scipy 1.17.1 and torch 2.13.0."""
    real, fake, logits = reference_sets()
    assert [real.sum(), fake.sum(), logits.sum()] == pytest.approx(  # else numpy draws other numbers
        [-22.611540169450514, 1656.4607031425012, 25.88654495701735], rel=1e-10)
    distance = statistics.frechet_distance(real, fake)
    assert distance == pytest.approx(141.91887481567744, rel=1e-10)  # torch-fidelity 0.4.0, fid_statistics_to_metric
    assert distance == pytest.approx(141.9188748157078, rel=1e-10)  # pytorch-fid 0.3.0, calculate_frechet_distance
    # torch-fidelity 0.4.0, kid_features_to_metric with kid_subsets=1, kid_subset_size=300; fake was cut to 300 rows.
    assert statistics.kernel_distance(real, fake[:300], 1, 300) == pytest.approx((152.70440396376796, 0), rel=1e-10)
    # torch-fidelity 0.4.0, isc_features_to_metric with splits=10, shuffle=False
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    score = statistics.inception_score(probabilities, 10)
    assert score == pytest.approx((3.7864635996019773, 0.11061831684134327), rel=1e-10)


def test_float32_is_computed_in_float64():
    real, fake, logits = (array.astype(np.float32) for array in reference_sets())
    real, fake = real + np.float32(1000), fake + np.float32(1000)  # in float32 the squares would lose all digits
    wide = real.astype(np.float64), fake.astype(np.float64)
    assert statistics.frechet_distance(real, fake) == statistics.frechet_distance(*wide)
    assert statistics.kernel_distance(real, fake, 2, 50) == statistics.kernel_distance(*wide, 2, 50)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert statistics.inception_score(probabilities) == statistics.inception_score(probabilities.astype(np.float64))


def test_class_shares_and_their_distance():
    shares = statistics.class_shares([2, 0, 2, 2], 4)
    assert shares.dtype == np.float64 and shares.tolist() == [0.25, 0, 0.75, 0]
    assert statistics.class_shares(np.array([200], np.uint8), 201)[200] == 1
    assert statistics.total_variation(shares, [0.25, 0.5, 0.25, 0]) == 0.5
    assert statistics.total_variation(shares, shares) == 0
    assert statistics.total_variation([1, 0], [0, 1]) == 1


ROWS, NAN = np.eye(4), np.array([[0, 1], [0, np.nan], [np.inf, 0]])


@pytest.mark.parametrize("call, message", [
    (lambda: statistics.inception_score(ROWS, 5), "num_splits 5 is too much for the 4 rows of probabilities: at most"),
    (lambda: statistics.inception_score(ROWS, 0), "num_splits 0 is below 1"),
    (lambda: statistics.inception_score([[1, 0], [0.5, 0.4]], 1), "probabilities: row 1 has the sum 0.9 and the least"),
    (lambda: statistics.inception_score([[1.5, -0.5]], 1), "row 0 has the sum 1 and the least value -0.5"),
    (lambda: statistics.inception_score(NAN, 1), "probabilities is not finite in 2 of 3 rows, first 1"),
    (lambda: statistics.frechet_distance(ROWS, ROWS[:1]), "fake has too few rows: 1, at least 2 needed"),
    (lambda: statistics.frechet_distance(ROWS, ROWS[:, :3]), r"other features: real \[4, 4\], fake \[4, 3\]"),
    (lambda: statistics.frechet_distance(ROWS[0], ROWS), r"real float64 \[4\] is not numbers \[rows, features\]"),
    (lambda: statistics.frechet_distance(NAN[:1].repeat(2, 0), NAN), "fake is not finite in 2 of 3 rows, first 1"),
    (lambda: statistics.frechet_distance([["a"], ["b"]], [[1], [2]]), "real <U1 .* is not numbers"),
    (lambda: statistics.kernel_distance(ROWS, ROWS[:3], 1, 4), "subset_size 4 is too much for the 3 rows of fake"),
    (lambda: statistics.kernel_distance(ROWS, ROWS), "subset_size 1000 is too much for the 4 rows of real: at most 4"),
    (lambda: statistics.kernel_distance(ROWS, ROWS, 1, 1), "subset_size 1: at least 1 and 2 are needed"),
    (lambda: statistics.kernel_distance(ROWS, ROWS, 0, 2), "num_subsets 0, "),
    (lambda: statistics.class_shares([], 3), "not whole numbers"),
    (lambda: statistics.class_shares([0.0], 3), "labels float64"),
    (lambda: statistics.class_shares([0, 3], 3), "labels from 0 to 3 are not from 0 to 2"),
    (lambda: statistics.class_shares([-1, 1], 3), "labels from -1 to 1 are not"),
    (lambda: statistics.total_variation([1.0], [0.5, 0.5]), r"shapes \[1\] and \[2\]"),
    (lambda: statistics.total_variation([0.5, 0.5], [0.5, 0.6]), "q: row 0 has the sum 1.1"),
])
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
