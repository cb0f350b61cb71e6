"""Sliced Wasserstein distance between patches of two sets of images, per scale (ProGAN: Karras et al. 2018, sec. 5).

Each image becomes a Laplacian pyramid. From each level, 128 patches of 7x7 pixels are taken at random. The patches of
the two sets are normalized and compared along 512 random directions. All arithmetic is float64. Only the patches are
stored as float32, which is exact for images below 64x64, and accurate to 1e-5 of a grey level for larger ones.
"""
import concurrent.futures

import numpy as np

PATCH = 7  # rows and columns of a patch
SMALLEST = 16  # smallest height or width of a pyramid level
_KERNEL = np.array([1, 4, 6, 4, 1]) / 16
_ROWS = 2 ** 16  # patches projected at a time: 26 MB per channel as float64
_PROJECTIONS = 2 ** 25  # projections of one set in memory at a time: 268 MB


def level_sizes(height, width) -> list:
    """(height, width) of each level: the image's own, then halved (rounded up) while both are at least 16.

    28x28 has one level; 48x32 also has 24x16; 33x33 also has 17x17. Raises ValueError for images smaller than 16.
    """
    if min(height, width) < SMALLEST:
        raise ValueError(f"images of {height}x{width} are too small for the sliced Wasserstein distance: "
                         f"at least {SMALLEST}x{SMALLEST}")
    sizes = []
    while min(height, width) >= SMALLEST:
        sizes.append((height, width))
        height, width = (height + 1) // 2, (width + 1) // 2
    return sizes


def laplacian_pyramid(images) -> list:
    """Images [n, height, width, channels] -> float64 levels [n, *size, channels], the finest first, of `level_sizes`.

    The last level is what remains of the image after all smoothing. Edges are mirrored without repeating the outermost
    pixel, so that a constant image is 0 at every level but the last.
    """
    levels = [np.asarray(images, np.float64)]
    for _ in level_sizes(*images.shape[1:3])[1:]:
        fine = levels[-1]
        coarse = _smooth(_smooth(fine, 1)[:, ::2], 2)[:, :, ::2]
        spread = np.zeros_like(fine)
        spread[:, ::2, ::2] = 4 * coarse  # times 4, since three of four pixels are 0
        levels[-1:] = [fine - _smooth(_smooth(spread, 1), 2), coarse]
    return levels


def _smooth(images, axis):
    size, half = images.shape[axis], len(_KERNEL) // 2
    padded = np.pad(images, [(half, half) if i == axis else (0, 0) for i in range(images.ndim)], mode="reflect")
    taps = (padded.take(range(i, i + size), axis) for i in range(len(_KERNEL)))
    return sum(weight * tap for weight, tap in zip(_KERNEL, taps))


class Descriptors:
    """The patches of a set of images, added batch by batch.

    Patch positions are a pure function of `seed` and of the image's number in the set, so the batch size changes
    nothing. The released code draws the positions in the two sets independently. Here, with one
    seed, images with the same number have the same positions. The difference could not be told from chance.

    One image takes patches * 49 * channels * 4 bytes per level. With 128 patches, 10 000 grey images of 28x28 take
    251 MB, and 10 000 colour images of 32x32 (two levels) take 1.5 GB.
    """

    def __init__(self, image_shape, seed=0, patches=128):
        """`image_shape` is (height, width, channels). Raises ValueError if it is too small, as `level_sizes` does."""
        if patches < 1 or seed < 0:
            raise ValueError(f"patches ({patches}) must be at least 1, and seed ({seed}) at least 0")
        self._image_shape, self._seed, self._patches, self._num_images = tuple(image_shape), seed, patches, 0
        self._parts = {min(size): [] for size in level_sizes(*image_shape[:2])}

    def add(self, images):
        """Adds images uint8 [n, *image_shape]. Raises ValueError for other images."""
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self._image_shape:
            raise ValueError(f"images {images.dtype} {list(images.shape)} are not uint8 {['n', *self._image_shape]}")
        for (name, parts), level in zip(self._parts.items(), laplacian_pyramid(images)):
            patches = np.lib.stride_tricks.sliding_window_view(level.astype(np.float32), (PATCH, PATCH), axis=(1, 2))
            patches = np.moveaxis(patches, 3, -1)  # [n, y, x, 7, 7, channels]
            rows, columns = patches.shape[1:3]
            place = self._draw(name, len(images)) % np.uint64(rows * columns)
            chosen = patches[np.arange(len(images))[:, np.newaxis], place // columns, place % columns]
            parts.append(chosen.reshape(len(images) * self._patches, -1))
        self._num_images += len(images)
        return self

    def _draw(self, level, num):
        """Random uint64 [num, patches] for the next `num` images: the next part of one long stream."""
        steps = -(-self._patches // 4)  # Philox makes four numbers per step
        stream = np.random.Philox(counter=self._num_images * steps, key=[self._seed, level])
        return stream.random_raw(num * steps * 4).reshape(num, steps * 4)[:, :self._patches]

    def arrays(self) -> dict:
        """{level: float32 [num_images * patches, 7 * 7 * channels]}; a level is named by its smaller side, an int.

        Raises ValueError if no images were added.
        """
        if not self._num_images:
            raise ValueError("no images to take patches of")
        for parts in self._parts.values():
            parts[:] = [np.concatenate(parts)]  # level by level, so that at most one is in memory twice
        return {level: parts[0] for level, parts in self._parts.items()}


def sliced_wasserstein(real, fake, seed=0, num_directions=512) -> dict:
    """Distances between two sets of descriptors. Each level of each set is normalized separately.

    Args:
        real, fake: what `Descriptors.arrays` returns, for the same number of images.
        seed: of the directions. The directions of a level do not depend on the other levels.
        num_directions: 512 stands for the paper's 4 repeats of 128, which are averaged anyway.

    Returns:
        {"swd_28": distance x 1000, ... (one per level), "swd": their mean}. Each is the mean over directions of the
        one-dimensional Wasserstein distance. Every channel of a set is normalized to mean 0 and standard deviation 1
        (a constant channel is only centred), so sets that differ only in brightness or contrast have distance 0.

    Needs up to 0.7 GB besides its arguments. Raises ValueError for different levels or shapes, NaN and infinity.
    """
    if list(real) != list(fake) or not real:
        raise ValueError(f"descriptors of levels {list(real)} cannot be compared with those of {list(fake)}")
    distances = {}
    for level in real:
        directions = np.random.default_rng([seed, level]).standard_normal([num_directions, real[level].shape[-1]])
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        distances[f"swd_{level}"] = 1000 * float(projected_distances(real[level], fake[level], directions).mean())
    return {**distances, "swd": float(np.mean(list(distances.values())))}


def projected_distances(real, fake, directions):
    """Wasserstein distance between two sets of points along each of `directions`, normalized as above.

    Args:
        real, fake: [n, 49 * channels], n the same.
        directions: float64 [num, 49 * channels], of length 1.

    Returns float64 [num]. Raises ValueError as `sliced_wasserstein` does.
    """
    if real.shape != fake.shape or real.ndim != 2 or not len(real) or real.shape[1] % PATCH ** 2:
        raise ValueError(f"descriptors {list(real.shape)} and {list(fake.shape)} are not two of one shape "
                         f"[n, {PATCH ** 2} * channels]; take as many patches of as many images")
    normalizations = [_normalization(points) for points in (real, fake)]
    block, distances = max(1, _PROJECTIONS // len(real)), []
    one, other = np.empty([2, min(block, len(directions)), len(real)])  # allocated once: new memory pages are slow
    with concurrent.futures.ThreadPoolExecutor() as pool:  # numpy releases the GIL while it sorts
        for start in range(0, len(directions), block):
            some = directions[start:start + block]
            one, other = one[:len(some)], other[:len(some)]
            for points, normalization, projected in zip((real, fake), normalizations, (one, other)):
                _project(points, *normalization, some, projected)
            list(pool.map(np.ndarray.sort, [*one, *other]))
            distances.extend(pool.map(_mean_distance, one, other))
    return np.array(distances)


def _mean_distance(one, other):
    np.subtract(one, other, out=one)
    return np.abs(one, out=one).mean()


def _normalization(points):
    """Mean and standard deviation of each column's channel, float64 [49 * channels]."""
    channels = points.shape[1] // PATCH ** 2

    def over_channel(columns):
        return np.tile(columns.reshape(-1, channels).mean(axis=0), PATCH ** 2)

    mean = over_channel(points.mean(axis=0, dtype=np.float64))
    squares = sum(((points[i:i + _ROWS] - mean) ** 2).sum(axis=0) for i in range(0, len(points), _ROWS))
    deviation = np.sqrt(over_channel(squares / len(points)))
    if not np.isfinite(deviation).all():
        raise ValueError("descriptors are not finite")
    return mean, np.where(deviation, deviation, 1.0)


def _project(points, mean, deviation, directions, out):
    """Writes the normalized points along `directions` to `out`, float64 [num directions, num points]."""
    directions = directions / deviation
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        np.matmul(directions, (points[rows] - mean).T, out=out[:, rows])
