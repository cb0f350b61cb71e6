"""Samples beside their nearest training images, in pixels and in features, to show whether a model memorized them."""
import dataclasses
import pathlib

import numpy as np

from tf2gan.core import images
from tf2gan.evaluation import comparison
from tf2gan.metrics import statistics

QUERIES, SHOWN, NEIGHBORS = 200, 10, 7


def write(folder, samples, data, extractor, settings) -> dict:
    """Writes nearest_pixels.png and, with an extractor, nearest_features.png: per row a sample and its neighbours.

    Args:
        samples: ImageSet; its first images are the queries.
        data: `image_sets.RealData`; neighbours come from its whole split train.
        extractor, settings: as for `comparison.compare`.

    Returns {space: {column: mean distance of a query to its nearest training image}}: for samples (`model`) and, unless
    train is the reference split, for real images that are not training images (`reference`). Samples of a model that
    memorized are far nearer than real images. Distances are root mean square differences of pixel values, 0 to 255, or
    of features. With an extractor also {"authenticity": {column: share of queries that are no copies}}.
    """
    train = data.images("train", None, settings.seed)
    queries = {"model": _first(samples)}
    if data.reference != "train":
        queries["reference"] = _first(data.images(data.reference, QUERIES, settings.seed))
    found, shares = {"pixels": _by_pixels(queries, train)}, {}
    if extractor is not None:
        found["features"], shares = _by_features(queries, train, extractor, settings)
    for space, by_column in found.items():
        _, nearest = by_column["model"]
        shown = np.concatenate([queries["model"][:SHOWN, np.newaxis], nearest[:SHOWN]], axis=1)
        titles = ["sample", *(f"nearest {i + 1}" for i in range(nearest.shape[1]))]
        images.write_image(pathlib.Path(folder) / f"nearest_{space}.png",
                           images.grid(images.enlarged(shown), column_titles=titles))
    means = {space: {column: float(distances[:, 0].mean()) for column, (distances, _) in by_column.items()}
             for space, by_column in found.items()}
    return {**means, **({"authenticity": shares} if shares else {})}


def _first(images):
    """The first images of a set, at most QUERIES: uint8 [num, height, width, channels]."""
    images = dataclasses.replace(images, num=min(QUERIES, images.num))
    parts, count = [], 0
    for batch, _ in images.batches():
        parts.append(batch)
        count += len(batch)
        if count >= images.num:
            break
    return np.concatenate(parts)[:images.num]


def _by_pixels(queries, train):
    """{column: (distances [q, k], images [q, k, ...])}. Only one batch of training images is in memory at a time."""
    best = {column: None for column in queries}
    for batch, _ in train.batches():
        flat = batch.reshape([len(batch), -1])
        for column, of_column in queries.items():
            index, distances = statistics.nearest(of_column.reshape([len(of_column), -1]), flat,
                                                  min(NEIGHBORS, len(batch)))
            found = distances / np.sqrt(flat.shape[1]), batch[index]
            if best[column] is not None:
                found = [np.concatenate(pair, axis=1) for pair in zip(best[column], found)]
                order = np.argsort(found[0], axis=1, kind="stable")[:, :NEIGHBORS]
                found = tuple(part[np.arange(len(part))[:, np.newaxis], order] for part in found)
            best[column] = found
    return best


def _by_features(queries, train, extractor, settings):
    """(the same by features, {column: authenticity}). The features of the training images may come from the cache."""
    features = comparison.observed(train, ("fid",), extractor, settings)["features"]
    found, shares = {}, {}
    for column, of_column in queries.items():
        of_queries = extractor(of_column)["features"]
        index, distances = statistics.nearest(of_queries, features, min(NEIGHBORS, len(features)))
        if len(features) > 1:
            shares[column] = statistics.authenticity(features, of_queries)
        found[column] = index, distances / np.sqrt(features.shape[1])
    wanted = {int(i): None for index, _ in found.values() for i in index.ravel()}
    start = 0
    for batch, _ in train.batches():
        for i in wanted.keys() & set(range(start, start + len(batch))):
            wanted[i] = batch[i - start]
        start += len(batch)
    return {column: (distances, np.stack([[wanted[int(i)] for i in row] for row in index]))
            for column, (index, distances) in found.items()}, shares
