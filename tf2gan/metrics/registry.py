"""The metrics: what they read from a set of images, batch by batch, and their values for a set beside the real one.

`observe` reads every image once and keeps arrays. `compute` computes metrics from the arrays of two sets.
"""
import dataclasses
from typing import Tuple

import numpy as np

from tf2gan.core.errors import UserError, unknown
from tf2gan.metrics import similarity, sliced_wasserstein, statistics

SPLITS, SUBSETS, SUBSET_SIZE, MANIFOLD_NEIGHBORS, DENSITY_NEIGHBORS = 10, 100, 1000, 3, 5
MOST_IMAGES = 10_000  # per set, unless more are requested
SURE = 0.9  # a prediction counts as sure from this probability on


@dataclasses.dataclass(frozen=True)
class Metric:
    """One of METRICS: what it reads from images, the names of its values, and the fewest images that it needs."""

    reads: str
    gives: Tuple[str, ...]
    least: int = 2


METRICS = {
    "fid": Metric("features", ("fid",)),
    "kid": Metric("features", ("kid",)),
    "is": Metric("probabilities", ("is",), SPLITS),
    "pr": Metric("features", ("precision", "recall"), MANIFOLD_NEIGHBORS + 1),
    "dc": Metric("features", ("density", "coverage"), DENSITY_NEIGHBORS + 1),
    "swd": Metric("descriptors", ("swd",)),
    "ms-ssim": Metric("similarity", ("ms_ssim",), 4),
    "classes": Metric("class_probabilities", ("class_distance", "sure")),
}
ACCURACY = "accuracy"  # only for models that classify: the evaluated model itself predicts the labels
SLOW = ("swd",)  # measured only on request: it takes longer than all others together
EXTRACTED = {"features", "probabilities", "class_probabilities"}  # what an extractor gives
WITHOUT_EXTRACTOR = tuple(name for name, metric in METRICS.items() if metric.reads not in EXTRACTED)


def parse(text, classifies=False) -> Tuple[str, ...]:
    """The metrics in a comma-separated list. ACCURACY is possible only for a model that `classifies`.

    Raises UserError for an unknown metric and for an empty list.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    possible = (*METRICS, ACCURACY)
    for name in names:
        if name not in possible:
            raise unknown("metric", name, possible)
    if not names:
        raise UserError(f"--metrics: needed: one or more of {','.join(possible)}, with commas between")
    if ACCURACY in names and not classifies:
        raise UserError(f"--metrics {ACCURACY}: is of models that classify images, such as sgan; this is none; "
                        f"possible: {','.join(METRICS)}")
    return tuple(dict.fromkeys(names))


def needs_extractor(metrics) -> bool:
    """Whether any of `metrics` reads the outputs of an extractor."""
    return any(METRICS[name].reads in EXTRACTED for name in metrics)


def fits(metric, image_shape) -> bool:
    """Whether images [height, width, channels] are large enough for a metric."""
    least = {"swd": sliced_wasserstein.SMALLEST, "ms-ssim": similarity.WINDOW}.get(metric, 1)
    return min(image_shape[:2]) >= least


def check_size(metrics, image_shape):
    """Raises UserError for images [height, width, channels] too small for one of `metrics`."""
    for name in metrics:
        if not fits(name, image_shape):
            raise UserError(f"--metrics {name}: images of {image_shape[0]}x{image_shape[1]} are too small for it: swd "
                            f"needs {sliced_wasserstein.SMALLEST} pixels, ms-ssim {similarity.WINDOW}")


def check_num(metrics, num, what):
    """Raises UserError if a set of `num` images is too small for one of `metrics`."""
    for name in metrics:
        if num < METRICS[name].least:
            raise UserError(f"--metrics {name}: needs at least {METRICS[name].least} images, {what} has {num}")


def observe(batches, reads, extractor, image_shape, seed=0, progress=None) -> dict:
    """Reads a set of images once.

    Args:
        batches: iterable of uint8 [n, height, width, channels]; the batch size does not matter.
        reads: what to keep: any of "features", "probabilities", "class_probabilities" (of the data's own classes),
            "descriptors" and "similarity".
        extractor: a function from a batch to {"features": ..., "probabilities": ..., "class_probabilities": ...}; used
            if one of these is read.
        image_shape: (height, width, channels).
        seed: of the patch positions of the descriptors.
        progress: called after each batch with its number of images.

    Returns {name: array}: `features`, and what else the extractor gives, [num, ...] in its dtype;
    `descriptors_LEVEL` (see `sliced_wasserstein`); `similarity`, the mean and its standard error. Raises UserError if
    `reads` has probabilities and the extractor gives none.
    """
    extracted = {}
    descriptors = sliced_wasserstein.Descriptors(image_shape, seed) if "descriptors" in reads else None
    diversity = similarity.Diversity() if "similarity" in reads else None
    for images in batches:
        if EXTRACTED & set(reads):
            outputs = extractor(images)
            check_extracted(outputs, reads, extractor)
            for name, part in outputs.items():
                extracted.setdefault(name, []).append(part)
        for observer in (descriptors, diversity):
            if observer is not None:
                observer.add(images)
        if progress is not None:
            progress(len(images))
    arrays = {name: np.concatenate(parts) for name, parts in extracted.items()}
    if descriptors is not None:
        arrays.update({f"descriptors_{level}": array for level, array in descriptors.arrays().items()})
    if diversity is not None:
        arrays["similarity"] = np.array(diversity.result())
    return arrays


def check_extracted(outputs, reads, extractor):
    """Raises UserError if `reads` has probabilities and the extractor's outputs have none."""
    if "probabilities" in reads and "probabilities" not in outputs:
        raise UserError(f"the extractor {extractor.name} gives no probabilities; --metrics can be "
                        + ",".join(name for name in METRICS if METRICS[name].reads != "probabilities"))


def compute(metrics, real, fake, seed=0) -> dict:
    """{name: (value, deviation or None)} of `fake` compared with `real`, both as `observe` returns them."""
    found = {}
    for name in metrics:
        if name == "fid":
            found["fid"] = statistics.frechet_distance(real["features"], fake["features"]), None
        elif name == "kid":
            size = subset_size(len(real["features"]), len(fake["features"]))
            found["kid"] = statistics.kernel_distance(real["features"], fake["features"], SUBSETS, size, seed)
        elif name == "is":
            found["is"] = statistics.inception_score(fake["probabilities"], SPLITS)
        elif name == "pr":
            values = statistics.precision_recall(real["features"], fake["features"], MANIFOLD_NEIGHBORS)
            found.update({figure: (value, None) for figure, value in zip(METRICS["pr"].gives, values)})
        elif name == "dc":
            values = statistics.density_coverage(real["features"], fake["features"], DENSITY_NEIGHBORS)
            found.update({figure: (value, None) for figure, value in zip(METRICS["dc"].gives, values)})
        elif name == "swd":
            found.update({figure: (value, None) for figure, value in _sliced_wasserstein(real, fake, seed).items()})
        elif name == "ms-ssim":
            found["ms_ssim"] = tuple(fake["similarity"].tolist())
        elif name == "classes":
            shares = [class_shares(part) for part in (real, fake)]
            found["class_distance"] = statistics.total_variation(*shares), None
            found["sure"] = float((fake["class_probabilities"].max(-1) >= SURE).mean()), None
    return {figure: (float(value), deviation) for figure, (value, deviation) in found.items()}


def subset_size(num_real, num_fake):
    """Images in each of KID's subsets: at most half of a set, or all subsets would be nearly the same."""
    return min(SUBSET_SIZE, max(2, min(num_real, num_fake) // 2))


def class_shares(arrays):
    """The share of images predicted as each class, float64 [classes], from what `observe` returned."""
    probabilities = arrays["class_probabilities"]
    return statistics.class_shares(probabilities.argmax(-1), probabilities.shape[-1])


def parameters(metrics, num_real, num_fake) -> dict:
    """{metric: {name: value}}: the constants behind the metrics, for their protocol."""
    known = {"kid": {"kernel": "(x.y / d + 1)^3", "subsets": SUBSETS, "subset_size": subset_size(num_real, num_fake)},
             "is": {"splits": SPLITS},
             "pr": {"neighbors": MANIFOLD_NEIGHBORS},
             "dc": {"neighbors": DENSITY_NEIGHBORS},
             "swd": {"patches": "128 of 7x7 of each image and level", "directions": 512, "scaled_by": 1000,
                     "num": min(num_real, num_fake)},
             "ms-ssim": {"pairs": num_fake // 2},
             "classes": {"sure": f"read with a probability of {SURE} or more"}}
    return {name: known[name] for name in metrics if name in known}


def _sliced_wasserstein(real, fake, seed):
    """SWD of equally many images of both sets, as many as the smaller has: it compares sorted lists of one length."""
    levels = [name for name in real if name.startswith("descriptors_")]
    parts = [{int(name.split("_")[1]): arrays[name] for name in levels} for arrays in (real, fake)]
    found = sliced_wasserstein.sliced_wasserstein(*({level: array[:min(len(part[level]) for part in parts)]
                                                     for level, array in part.items()} for part in parts), seed=seed)
    return found if len(levels) > 1 else {"swd": found["swd"]}
