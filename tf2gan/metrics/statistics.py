"""Metrics computed from features: functions of numpy arrays that compute in float64 for any input dtype.

Features are [images, features] and finite. Where two sets are compared, the real one comes first.
"""
import numpy as np

_NUMBERS = 10 ** 7  # distances in memory at once: 80 MB, such as 1000 rows to 10 000 others


def inception_score(probabilities, num_splits=10):
    """Salimans et al. 2016, section 4: exp(mean over x of KL(p(y|x) || p(y))), where p(y) is the mean of a split.

    Args:
        probabilities: p(y|x) [n, classes]; each row sums to 1, entries may be 0.
        num_splits: number of contiguous parts of nearly the same size, in the given order.

    Returns:
        Mean and standard deviation (ddof=0) over the splits, each from 1 to the number of classes.

    Raises ValueError if n < num_splits, or for rows that are not probabilities.
    """
    probabilities, = _checked(1, probabilities=probabilities)
    _check_count("num_splits", num_splits, len(probabilities), "probabilities", len(probabilities))
    _check_probabilities("probabilities", probabilities)
    # The mean divergence equals the entropy of the mean minus the mean entropy, which avoids 0 / 0 at p(y) = 0.
    scores = [np.exp(_negative_entropy(split).mean() - _negative_entropy(split.mean(axis=0)))
              for split in np.array_split(probabilities, num_splits)]
    return float(np.mean(scores)), float(np.std(scores))


def _negative_entropy(p):  # 0 log 0 = 0
    return (p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1)


def frechet_distance(real, fake):
    """FID, Heusel et al. 2017, equation 6: |m_r - m_f|^2 + tr(C_r + C_f - 2 (C_r C_f)^(1/2)).

    m and C are mean and covariance (ddof=1) of features [n, d] and [m, d]. Exact also for singular C, as with n <= d.

    Returns a number >= 0. Raises ValueError if a set has fewer than 2 rows, or for invalid features.
    """
    real, fake = _checked(2, real=real, fake=fake)
    shift = real.mean(axis=0) - fake.mean(axis=0)
    # C = R^T R with R from the QR decomposition of the centred rows, so the eigenvalues of C_r C_f are the squares of
    # the singular values of R_r R_f^T. No covariance is formed: its rounding error of 1e-16 would be 1e-8 in the root.
    roots = [np.linalg.qr(rows - rows.mean(axis=0), mode="r") / np.sqrt(len(rows) - 1) for rows in (real, fake)]
    traces = sum(np.square(root).sum() for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return max(float(shift @ shift + traces - 2.0 * shared), 0.0)  # only rounding makes it negative


def kernel_distance(real, fake, num_subsets=100, subset_size=1000, seed=0):
    """KID, Binkowski et al. 2018, section 4: the unbiased squared MMD with the kernel (x.y / d + 1)^3.

    Args:
        real, fake: features [n, d] and [m, d].
        num_subsets: number of subsets drawn from each set, each without replacement, independently of the other set.
        subset_size: rows per subset, at least 2. One subset of the size of both sets gives the estimate from all rows.
        seed: 0 to 2^32 - 1; the same seed draws the same subsets with every version of numpy.

    Returns:
        Mean and standard deviation (ddof=0) over the subsets. For equal distributions the mean is around 0 and may be
        negative. The standard deviation is that of one subset's estimate, not of the mean.

    Raises ValueError if a set is smaller than `subset_size`, or for invalid features.
    """
    real, fake = _checked(2, real=real, fake=fake)
    if num_subsets < 1 or subset_size < 2:
        raise ValueError(f"num_subsets {num_subsets}, subset_size {subset_size}: at least 1 and 2 are needed")
    for name, rows in (("real", real), ("fake", fake)):
        _check_count("subset_size", subset_size, len(rows), name, len(rows))
    random = np.random.RandomState(seed)  # a Generator's numbers may change with numpy's version
    estimates = [_squared_mmd(*(rows[random.permutation(len(rows))[:subset_size]] for rows in (real, fake)))
                 for _ in range(num_subsets)]
    return float(np.mean(estimates)), float(np.std(estimates))


def _squared_mmd(real, fake):
    """The unbiased estimate from two sets [n, d] of the same size. It leaves out pairs of a row with itself."""
    num = len(real)
    within = sum((kernel.sum() - np.trace(kernel)) / (num * (num - 1))
                 for kernel in (_kernel(real, real), _kernel(fake, fake)))
    return within - 2.0 * _kernel(real, fake).mean()


def _kernel(x, y):
    base = x @ y.T
    base /= x.shape[1]
    base += 1.0
    return base * base * base  # ** 3 is many times slower


def precision_recall(real, fake, num_neighbors=3):
    """Kynkaanniemi et al. 2019, equations 1 and 2: improved precision and recall.

    A set's manifold is the union of balls around its rows. The radius of a ball is the distance from its row to the
    `num_neighbors`-th nearest other row. Balls include their surface, so a copy of a row is inside even at radius 0.

    Args:
        real, fake: features [n, d] and [m, d].

    Returns:
        precision, the share of fake rows on the real manifold, and recall, the share of real rows on the fake manifold.

    Raises ValueError if a set has at most `num_neighbors` rows, or for invalid features.
    """
    real, fake = _centred(*_checked(1, real=real, fake=fake))
    real_radii, fake_radii = _radii("real", real, num_neighbors), _radii("fake", fake, num_neighbors)
    found, recalled = np.zeros(len(fake), bool), 0
    for part in _blocks(len(real), len(fake)):
        distances = _squared_distances(real[part], fake, _slack(real))
        found |= (distances <= real_radii[part, None]).any(axis=0)
        recalled += (distances <= fake_radii).any(axis=1).sum()
    return float(found.mean()), float(recalled / len(real))


def density_coverage(real, fake, num_neighbors=5):
    """Naeem et al. 2020, section 3: density and coverage.

    Both count fake rows in the balls around real rows, which are those of `precision_recall`. The authors' code
    excludes the surface of a ball. That makes a difference only where fake rows are copies of real ones.

    Args:
        real, fake: features [n, d] and [m, d].

    Returns:
        density, the mean over fake rows of (number of balls that contain the row) / `num_neighbors`, which may exceed
        1, and coverage, the share of real rows with a fake row in their ball.

    Raises ValueError if `real` has at most `num_neighbors` rows, or for invalid features.
    """
    real, fake = _centred(*_checked(1, real=real, fake=fake))
    radii = _radii("real", real, num_neighbors)
    total, covered = 0, 0
    for part in _blocks(len(real), len(fake)):
        inside = _squared_distances(real[part], fake, _slack(real)) <= radii[part, None]
        total += inside.sum()
        covered += inside.any(axis=1).sum()
    return float(total / (num_neighbors * len(fake))), float(covered / len(real))


def authenticity(real, fake):
    """Alaa et al. 2022 (arXiv 2102.08921), section 3.3: the share of fake rows that are no copies of real ones.

    A fake row counts as a copy if it is nearer to its nearest real row than that one is to its own nearest other. Of
    rows from the real distribution itself about half do. So 0 is a model that copies, 0.5 one that makes what could be
    further data, 1 one that stays away from all of them, also because its images are worse.

    Args:
        real, fake: features [n, d] and [m, d].

    Raises ValueError if `real` has fewer than two rows, or for invalid features.
    """
    real, fake = _checked(1, real=real, fake=fake)
    index, distances = nearest(fake, real)
    own = np.unique(index)
    _, among = nearest(real[own], real, 2)  # the first is the row itself, or one that is equal
    return float((distances[:, 0] > among[np.searchsorted(own, index[:, 0]), 1]).mean())


def nearest(queries, candidates, num=1):
    """The nearest candidates of each query by Euclidean distance; of equally near ones, the first.

    Args:
        queries, candidates: [q, d] and [n, d].

    Returns:
        indices int64 [q, num] of candidates, nearest first, and their distances float64 [q, num]: 0 for a copy.

    Raises ValueError if there are fewer than `num` candidates, or for invalid features.
    """
    queries, candidates = _arrays(1, queries=queries, candidates=candidates)
    _check_count("num", num, len(candidates), "candidates", len(candidates))
    queries = queries.astype(np.float64)  # not the candidates: a uint8 data set would take 8 times the memory
    indices, distances = np.empty([len(queries), num], np.int64), np.empty([len(queries), num])
    centre, slack = queries.mean(axis=0), _slack(queries)
    for part in _blocks(len(queries), len(candidates)):
        least = np.empty([len(queries[part]), len(candidates)])
        for others in _blocks(len(candidates), queries.shape[1]):
            least[:, others] = _squared_distances(queries[part] - centre, candidates[others] - centre, slack)
        for i, row in enumerate(least, part.start):
            # Candidates that may be as near as these are compared again, by differences, which avoid cancellation.
            limit = _squares(candidates[np.argpartition(row, num - 1)[:num]] - queries[i]).max()
            near = np.flatnonzero(row <= limit)
            squares = _squares(candidates[near] - queries[i])
            order = np.argsort(squares, kind="stable")[:num]
            indices[i], distances[i] = near[order], np.sqrt(squares[order])
    return indices, distances


def class_shares(labels, num_classes):
    """The share of each class in labels int [n]: float64 [num_classes], which sums to 1.

    Raises ValueError for no labels, or labels that are not from 0 to num_classes - 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not len(labels) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels {labels.dtype} {list(labels.shape)} are not whole numbers [n] with n > 0")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} are not from 0 to {num_classes - 1}")
    return np.bincount(labels.astype(np.int64), minlength=num_classes) / len(labels)


def total_variation(p, q):
    """sum |p - q| / 2 of two distributions [classes]: 0 for equal ones, 1 for those with no class in common.

    Raises ValueError for other shapes, or for arguments that are not distributions.
    """
    p, q = np.asarray(p, np.float64), np.asarray(q, np.float64)
    if p.ndim != 1 or p.shape != q.shape or not len(p):
        raise ValueError(f"shapes {list(p.shape)} and {list(q.shape)} are not both [classes]")
    for name, distribution in (("p", p), ("q", q)):
        _check_probabilities(name, distribution[None])
    return float(np.abs(p - q).sum() / 2.0)


def _centred(real, fake):
    """Both minus the mean of the first: the distances are the same, and smaller numbers cancel less."""
    mean = real.mean(axis=0)
    return real - mean, fake - mean


def _blocks(num_rows, num_columns):
    """Slices of rows that have at most _NUMBERS numbers each."""
    step = max(1, _NUMBERS // num_columns)
    return [slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step)]


def _squares(rows):  # |x|^2 of each row
    return np.square(rows).sum(axis=1)


def _slack(rows):
    """A bound on the rounding error of the difference of two squared distances, relative to |x|^2 + |y|^2.

    It is for `_squared_distances`, where BLAS sums in another order for every shape. Points that are nearer to each
    other than its root, around 1e-6 of their distance from the centre, count as equal.
    """
    return 8.0 * (rows.shape[1] + 4) * np.finfo(np.float64).eps


def _squared_distances(rows, columns, slack=0.0):
    """|x - y|^2 float64 [rows, columns], with errors of the order of 1e-16 (|x|^2 + |y|^2), so it may be negative.

    With a `slack` the result is a lower bound. A point on the surface of a ball, such as a copy of the row that
    defines the radius, is then inside however it was rounded.
    """
    distances = (-2.0 * rows) @ columns.T  # x^2 - 2 x y + y^2: BLAS does the work
    distances += (1.0 - slack) * _squares(rows)[:, None]
    distances += (1.0 - slack) * _squares(columns)
    return distances


def _radii(name, rows, num_neighbors):
    """Squared distance [n] of each row to its `num_neighbors`-th nearest other row. A copy counts as another row.

    They carry rounding errors and may be negative. The `slack` of the distances compared with them covers both errors.
    """
    _check_count("num_neighbors", num_neighbors, len(rows) - 1, name, len(rows))
    radii = np.empty(len(rows))
    for part in _blocks(len(rows), len(rows)):
        distances = _squared_distances(rows[part], rows)
        own = np.arange(part.start, part.stop)
        distances[own - part.start, own] = np.inf  # by index: a copy of the row is a neighbour
        distances.partition(num_neighbors - 1, axis=1)
        radii[part] = distances[:, num_neighbors - 1]
    return radii


def _checked(at_least, **sets):
    return [array.astype(np.float64) for array in _arrays(at_least, **sets)]


def _arrays(at_least, **sets):
    """The sets as arrays [rows, features]. Raises ValueError for other arrays, and for different feature sizes."""
    arrays = [np.asarray(array) for array in sets.values()]
    for name, array in zip(sets, arrays):
        if array.ndim != 2 or not array.shape[1] or array.dtype.kind not in "biuf":
            raise ValueError(f"{name} {array.dtype} {list(array.shape)} is not numbers [rows, features]")
        if len(array) < at_least:
            raise ValueError(f"{name} has too few rows: {len(array)}, at least {at_least} needed")
        finite = np.isfinite(array).all(axis=1)
        if not finite.all():
            raise ValueError(f"{name} is not finite in {np.sum(~finite)} of {len(array)} rows, first {finite.argmin()}")
    if len({array.shape[1] for array in arrays}) > 1:
        raise ValueError("other features: " + ", ".join(f"{n} {list(a.shape)}" for n, a in zip(sets, arrays)))
    return arrays


def _check_count(argument, count, most, name, num_rows):
    if count < 1:
        raise ValueError(f"{argument} {count} is below 1")
    if count > most:
        raise ValueError(f"{argument} {count} is too much for the {num_rows} rows of {name}: at most {most}")


def _check_probabilities(name, rows):
    """Raises ValueError unless rows are non-negative and sum to 1, to the precision of float16."""
    sums = rows.sum(axis=1)
    wrong = (rows < 0).any(axis=1) | ~(np.abs(sums - 1.0) <= 1e-3)
    if wrong.any():
        i = wrong.argmax()
        raise ValueError(f"{name}: row {i} has the sum {sums[i]:.6g} and the least value {rows[i].min():.6g}, "
                         "which are no probabilities")
