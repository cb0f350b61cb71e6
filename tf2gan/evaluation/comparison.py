"""Observes sets of images and compares them with the real ones, whose features are cached."""
import contextlib
import dataclasses
from typing import Optional

import numpy as np

from tf2gan.core import progress
from tf2gan.evaluation import results
from tf2gan.metrics import feature_cache, features, imagenet, registry
from tf2gan.metrics.classifier import label_agreement

_FORMAT = 1  # of cached features; to be raised with every change here that changes the features of a key


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to evaluate; the same for runs, exports and folders."""

    metrics: Optional[str] = None  # comma-separated names; None: all that fit the data and extractor, but the slow ones
    extractor: Optional[str] = None  # where features come from; None: imagenet for colour, classifier for grey
    num: Optional[int] = None  # images of each set; None: as many as the reference has, up to 10 000
    seed: int = 0  # of latents, and of the choice and order of real images
    show_progress: bool = False

    def check(self):
        """Raises UserError for unknown metrics and unavailable extractors, before anything is loaded."""
        if self.metrics is not None:
            registry.parse(self.metrics, classifies=True)
        if self.extractor is not None:
            features.check(self.extractor)

    def spec(self, image_shape) -> str:
        """The extractor for images of this shape, (height, width, channels) or, in colour, (height, width)."""
        is_grey = len(image_shape) == 3 and image_shape[-1] == 1
        return self.extractor or ("classifier" if is_grey else "imagenet")


def chosen(settings, image_shape, labelled=True):
    """The names of the metrics. Raises UserError for those unavailable with this image shape or extractor.

    `labelled`: whether the real images have classes, which `classes` counts.
    """
    kind = settings.spec(image_shape).split(":")[0]
    if kind == "imagenet" and len(image_shape) == 3:  # translations have no channels here: they are in colour
        imagenet.check_channels(image_shape[-1])
    if settings.metrics is None:
        lacking = {"is"} if kind == "savedmodel" else set()
        lacking |= set() if labelled or kind == "classifier" else {"classes"}
        names = [name for name in registry.METRICS if name not in (*lacking, *registry.SLOW)]
        return tuple(name for name in names if registry.fits(name, image_shape))
    names = registry.parse(settings.metrics)
    registry.check_size(names, image_shape)
    return names


def extractor_record(extractor):
    """What a protocol says about its extractor; None without one."""
    if extractor is None:
        return None
    kept = {name: value for name, value in extractor.info.items() if name not in ("identity", "versions")}
    found = {"name": extractor.name, **kept, "hash": extractor.hash}
    classes = getattr(extractor, "classes", None)
    if classes is None or classes is extractor.features:
        return found
    return {**found, "classes": extractor_record(classes)}


def reader(extractor, reads):
    """The one that gives what a metric `reads`, for the metric's name; None if it needs no extractor."""
    if reads not in registry.EXTRACTED:
        return None
    return getattr(extractor, "classes", extractor) if reads == "class_probabilities" else extractor


def observed(images, names, extractor, settings):
    """What `registry.observe` returns for an ImageSet, and its "labels" if it has any.

    An extractor's outputs for real images are cached, under the key of the images and the extractor's hash.
    """
    reads = {registry.METRICS[name].reads for name in names}
    arrays = {}
    if reads & registry.EXTRACTED and images.key is not None:
        if reads & {"features", "probabilities"}:
            arrays.update(_cached(images, getattr(extractor, "features", extractor), settings))
        if "class_probabilities" in reads:
            found = _cached(images, extractor.classes, settings)
            arrays.update({name: found[name] for name in ("labels",) if name in found},
                          class_probabilities=found["probabilities"])
        registry.check_extracted(arrays, reads, extractor)  # they may have been made for metrics that read features
        reads -= registry.EXTRACTED
    return {**arrays, **_read(images, reads, extractor, settings)} if reads else arrays


def _cached(images, extractor, settings):
    key = {**images.key, "extractor": extractor_record(extractor), "format": _FORMAT}
    return feature_cache.cached(key, lambda: _read(images, {"features"}, extractor, settings))


def _read(images, reads, extractor, settings):
    labels = []

    def pictures():
        for batch, of_batch in images.batches():
            if of_batch is not None:
                labels.append(of_batch)
            yield batch

    with contextlib.ExitStack() as stack:
        counter = None
        if settings.show_progress:
            counter = stack.enter_context(progress.Counter(", ".join([images.name, *sorted(reads)]), images.num))
        arrays = registry.observe(pictures(), reads, extractor, images.image_shape, settings.seed, counter)
    return {**arrays, "labels": np.concatenate(labels)} if labels else arrays


def compare(columns, data, extractor, settings, names, protocol, weights=None, asked=False) -> dict:
    """The record of an evaluation of sets of images, compared with the reference split of real images.

    Args:
        columns: {"model": ImageSet, and perhaps "untrained"}.
        data: `image_sets.RealData`; as many images of its floor as the model has are added as column `real_train`.
        extractor: None if no metric reads its outputs.
        settings, names: Settings, and the names of the metrics.
        protocol: further entries of the record's protocol.
        weights: "averaged" or "raw"; None without a model.
        asked: whether the labels of the images are classes that were asked for.
    """
    num = columns["model"].num
    real = data.images(data.reference, max(num, registry.MOST_IMAGES), settings.seed)
    columns = dict(columns)
    if data.floor:
        columns["real_train"] = data.images(data.floor, num, settings.seed)
    for images in (real, *columns.values()):
        registry.check_num(names, images.num, images.name)
    reference = observed(real, names, extractor, settings)
    readings = {}

    def each():
        for column, images in columns.items():
            arrays = observed(images, names, extractor, settings)
            readings[column] = {part: arrays[part] for part in ("class_probabilities", "labels") if part in arrays}
            yield column, arrays

    against = f"{data.label}-{data.reference}"

    def name(figure, reads):
        return results.figure_name(figure, num, against, reader(extractor, reads), weights)

    found = results.entries(names, reference, each(), name, settings.seed)
    classes = None
    if "classes" in names:
        classes = _classes(data.class_names, readings, reference, asked)
        if asked:
            values = {column: (part["overall"], None) for column, part in classes["confusion"].items()}
            found.append(results.entry("agreement", name("agreement", "class_probabilities"), values))
    full = {**protocol, "dataset": data.label, "split": data.reference, "num_fake": num, "num_real": real.num,
            "floor": data.floor and {"split": data.floor, "num": columns["real_train"].num},
            "image_shape": list(data.image_shape), "resize": data.resize, "seed": settings.seed,
            **({"weights": weights} if weights else {}),
            "extractor": extractor_record(extractor),
            **registry.parameters(names, real.num, num)}
    return results.record(full, found, classes)


def _classes(class_names, arrays, reference, asked):
    """Shares of classes in each column and, if labels were asked for, how they were predicted."""
    everything = {**arrays, "reference": reference}
    classes = {"names": list(class_names),
               "shares": {column: registry.class_shares(part).tolist() for column, part in everything.items()}}
    if asked:
        # Without real_train: unless train is the reference, the classifier was trained on it.
        classes["confusion"] = {
            column: label_agreement(part["labels"], part["class_probabilities"].argmax(-1), len(class_names))
            for column, part in everything.items() if column != "real_train"}
        classes["agreement"] = {column: part["per_class"] for column, part in classes["confusion"].items()}
    return classes
