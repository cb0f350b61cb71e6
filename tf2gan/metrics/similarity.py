"""Similarity of two images: PSNR, SSIM (Wang et al. 2004), MS-SSIM (Wang et al. 2003); diversity of a set by MS-SSIM.

All take images uint8 [n, height, width, channels] and compute in float64. All are symmetric in their arguments.
"""
import numpy as np

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales of MS-SSIM, the finest first
WINDOW = 11  # pixels of SSIM's Gaussian window
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_PIXELS = 2 ** 20  # compared at a time: about 100 MB


def psnr(a, b):
    """Peak signal-to-noise ratio, 10 log10(255^2 / mean squared error), in dB: float64 [n], infinite for equal images.

    Raises ValueError unless `a` and `b` are uint8 of the same shape, like all functions here.
    """
    _check(a, b)
    errors = [np.square(np.subtract(x, y, dtype=np.float64)).mean() for x, y in zip(a, b)]
    with np.errstate(divide="ignore"):
        return 10 * np.log10(255 ** 2 / np.array(errors, np.float64))


def ssim(a, b):
    """Mean structural similarity: float64 [n], at most 1; 1 for equal images.

    The window is Gaussian, 11 x 11, and stays within the image. Channels are averaged. Raises ValueError also for
    images smaller than the window.
    """
    _check(a, b)
    num_scales(*a.shape[1:3])  # raises for small images
    return _per_image(a, b, lambda x, y: _terms(x, y)[0])


def num_scales(height, width) -> int:
    """How many of the five scales of MS-SSIM fit. Each scale halves the one before; odd sizes are rounded up.

    The window of 11 must fit into the smallest scale. That gives 1 scale from 11 pixels on, 2 from 21 (28x28, 32x32),
    3 from 41, 4 from 81, 5 from 161. Raises ValueError for images smaller than the window.
    """
    smaller = min(height, width)
    if smaller < WINDOW:
        raise ValueError(f"images of {height}x{width} are too small for SSIM: at least {WINDOW}x{WINDOW}")
    return sum(-(-smaller // 2 ** scale) >= WINDOW for scale in range(len(WEIGHTS)))


def ms_ssim(a, b):
    """Multi-scale structural similarity: float64 [n], from 0 to 1.

    The product over `num_scales` of the mean contrast and structure term, or of the mean SSIM at the last scale. Each
    factor is raised to its weight; the weights are divided by their sum; means below 0 count as 0. The result is the
    mean over channels. The next scale is the mean of 2 x 2 pixels, with the last row or column repeated at odd sizes.
    """
    _check(a, b)
    scales = num_scales(*a.shape[1:3])
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])

    def compare(x, y):
        product = 1.0
        for scale, weight in enumerate(weights):
            if scale:
                x, y = _halved(x), _halved(y)
            whole, structure = _terms(x, y)
            product = product * np.maximum(whole if scale == scales - 1 else structure, 0) ** weight
        return product

    return _per_image(a, b, compare)


class Diversity:
    """Mean MS-SSIM of pairs of images of one set (Odena et al. 2017), added batch by batch: lower is more diverse.

    The pairs are images 0 and 1, 2 and 3, ... of the set, whatever the batches. The last image of an odd number is left
    out. The images must come in random order.
    """

    def __init__(self):
        self._left, self._similarities = None, []

    def add(self, images):
        """Adds images uint8 [n, height, width, channels]. Raises ValueError for others, and if the shape changes."""
        if self._left is not None:
            if images.shape[1:] != self._left.shape[1:]:
                raise ValueError(f"images of shape {list(images.shape[1:])} after {list(self._left.shape[1:])}")
            images = np.concatenate([self._left, images])
        even = len(images) // 2 * 2
        self._similarities.extend(ms_ssim(images[0:even:2], images[1:even:2]))
        self._left = images[even:].copy()  # a copy: a view would keep the whole batch in memory
        return self

    def result(self) -> tuple:
        """(mean, standard error of the mean). Raises ValueError for fewer than two pairs."""
        num = len(self._similarities)
        if num < 2:
            raise ValueError(f"diversity takes at least 4 images, which are 2 pairs, not {num}")
        return float(np.mean(self._similarities)), float(np.std(self._similarities, ddof=1) / np.sqrt(num))


def _check(a, b):
    if a.dtype != np.uint8 or b.dtype != np.uint8 or a.ndim != 4 or a.shape != b.shape:
        raise ValueError(f"images {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)} are not two batches of "
                         f"uint8 [n, height, width, channels] of one shape")


def _per_image(a, b, compare):
    """Applies `compare` to float64 planes [num, height, width], one per channel, in blocks; averages over channels."""
    num, height, width, channels = a.shape
    block, values = max(1, _PIXELS // (height * width * channels)), [np.empty([0])]
    for start in range(0, num, block):
        # The same memory layout for any number of images, or sums would round differently.
        planes = (np.moveaxis(x[start:start + block], -1, 1).reshape(-1, height, width).astype(np.float64, order="C")
                  for x in (a, b))
        values.append(compare(*planes).reshape(-1, channels).mean(axis=1))
    return np.concatenate(values)


def _terms(x, y):
    """Image means of SSIM, and of its contrast and structure term alone, for planes [num, height, width]."""
    mean_x, mean_y = _windowed(x), _windowed(y)
    product, squares = mean_x * mean_y, mean_x ** 2 + mean_y ** 2
    structure = (2 * (_windowed(x * y) - product) + _C2) / (_windowed(x * x + y * y) - squares + _C2)
    whole = structure * (2 * product + _C1) / (squares + _C1)
    return tuple(term.reshape(len(term), -1).mean(axis=1) for term in (whole, structure))


def _windowed(x):
    """Gaussian mean of every window that lies within the image."""
    weights = np.exp(-0.5 * ((np.arange(WINDOW) - WINDOW // 2) / _SIGMA) ** 2)
    weights /= weights.sum()
    height, width = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    x = sum(weight * x[:, i:i + height] for i, weight in enumerate(weights))
    return sum(weight * x[:, :, i:i + width] for i, weight in enumerate(weights))


def _halved(x):
    x = np.pad(x, [(0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2)], mode="edge")
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4
