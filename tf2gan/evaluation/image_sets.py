"""Sets of images to evaluate: real ones of a data set, files of a folder, and images that a model makes."""
import dataclasses
import os
import re
from typing import Callable, Optional, Tuple

import numpy as np

from tf2gan.core.errors import UserError
from tf2gan.data import load, pipeline
from tf2gan.models import translation

REFERENCES = ("test", "validation", "train")  # generated images are compared with the first that exists
_PIXELS = 2 ** 19  # per batch; its activations in an extractor are many times as large


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """`num` images of one shape. Each call of `batches` reads them again.

    `batches()` yields pairs of images uint8 [n, *image_shape] and their labels (true, or asked for) int64 [n], or None.
    `key`, a JSON-able dict, identifies the set; None if nothing does.
    """

    name: str
    num: int
    image_shape: Tuple[int, int, int]
    batches: Callable
    key: Optional[dict] = None


def batch_size(image_shape):
    """Number of images to process at once. It changes only speed and memory."""
    return int(np.clip(_PIXELS // (image_shape[0] * image_shape[1]), 1, 500))


class RealData:
    """The splits of a data set at one image shape; images come in a random order that the seed determines.

    Attributes: `label`, the name in metric names; `splits`; `class_names`; `reference`, the name of the split that
    generated images are compared with; `floor`, the name of another split, which is compared with the reference as a
    baseline, None if there is none.
    """

    def __init__(self, dataset, splits, image_shape, reference=None):
        """Raises UserError if there is no split `reference`."""
        if reference is not None and reference not in splits:
            raise UserError(f"--split {reference}: {dataset} has {', '.join(splits)}")
        self.label, self.splits, self.image_shape = label_of(dataset), splits, tuple(image_shape)
        self.reference = reference or next(name for name in REFERENCES if name in splits)
        self.floor = next((name for name in ("train", "test", "validation")
                           if name in splits and name != self.reference), None)
        self.class_names = splits[self.reference].class_names

    @property
    def resize(self):
        """How images are resized to the shape, as a protocol says it."""
        sizes = {tuple(split.image_shape[:2]) for split in self.splits.values()}
        return "none" if sizes == {self.image_shape[:2]} else "bilinear, antialiased, middle crop"

    def images(self, split, num=None, seed=0) -> ImageSet:
        """`num` images of a split, or all if it has fewer."""
        chosen = self.splits[split]
        num = min(num or chosen.num_examples, chosen.num_examples)

        def batches():
            examples = pipeline.drawn(chosen, self.image_shape, num, seed)
            for batch in examples.batch(batch_size(self.image_shape)).as_numpy_iterator():
                yield batch["images"], batch.get("labels")

        key = {"dataset": self.label, "split": split, "data": chosen.version, "num": num, "seed": seed,
               "image_shape": list(self.image_shape), "resize": self.resize}
        return ImageSet(f"{self.label} {split}", num, self.image_shape, batches, key if chosen.version else None)


def label_of(dataset):
    """The name of a data set in metric names; a path is reduced to its last part."""
    is_folder = os.path.isabs(dataset) or dataset.startswith((".", "~")) or os.path.isdir(dataset)
    return os.path.basename(os.path.abspath(os.path.expanduser(dataset))) if is_folder else dataset


def load_real(dataset, size=None, data_dir=None, skip_unreadable=False, reference=None, classes=None) -> RealData:
    """The data set at `size`, (height, width) or (height, width, channels), or at its own size if all images share it.

    `reference`: see RealData; `classes`: the class names of a model, whose order the labels follow. Raises UserError.
    """
    splits = load.load(dataset, ("train",), data_dir, skip_unreadable, optional=("test", "validation"))
    splits = {name: split.in_order_of(classes) for name, split in splits.items()}
    return RealData(dataset, splits, _shape(splits["train"].image_shape, size, dataset), reference)


def _shape(own, size, where):
    shape = tuple(own) if size is None else (*size[:2], size[2] if len(size) == 3 else own[2])
    if None in shape:
        raise UserError(f"{where}: its images have different sizes: --image-size says to what they shall be brought")
    return shape


def generated(sampler, num, seed, name="samples") -> ImageSet:
    """What a `models.generation.Sampler` generates from a seed's first `num` latents, with all classes equally often.

    Labels are in random order, so that neighbours in the set are a random pair, as in real data.
    """
    size = batch_size(sampler.image_shape)

    def batches():
        latents = sampler.latents(num, seed)
        labels = None
        if sampler.num_classes is not None:
            labels = np.random.default_rng(seed).permutation(np.arange(num) % sampler.num_classes)
        for start in range(0, num, size):
            part = None if labels is None else labels[start:start + size]
            yield sampler.images(latents[start:start + size], part, size), part

    return ImageSet(name, num, tuple(sampler.image_shape), batches)


def translated(functions, direction, source: ImageSet, name, seed=0) -> ImageSet:
    """The images of `source`, translated by `models.translation.every_function` or by signatures of an export.

    By a model with styles, image i in style i of `seed`.
    """
    styles = translation.styles_of(functions, source.num, seed)
    function = functions[direction if styles is None else f"{direction}_styled"]

    def batches():
        done = 0
        for images, _ in source.batches():
            for start in range(0, len(images), 8):
                floats = images[start:start + 8].astype(np.float32) / 255.0
                style = {} if styles is None else {"styles": styles[done:done + len(floats)]}
                done += len(floats)
                yield np.rint(255.0 * np.asarray(function(images=floats, **style)["images"])).astype(np.uint8), None

    return ImageSet(name, source.num, source.image_shape, batches)


def folder_images(folder, image_shape=None, num=None, seed=0, skip_unreadable=False) -> ImageSet:
    """`num` (None: all) images of a folder at any depth, at `image_shape` or their common one. Raises UserError."""
    split = load.load_flat(folder, skip_unreadable)
    # Not named "train": a data set of the same files has another order, and labels.
    data = RealData(folder, {split.name: split}, _shape(split.image_shape, image_shape, folder), split.name)
    found = data.images(split.name, num, seed)
    return dataclasses.replace(found, name=data.label)


def slug(text):
    """`text` as a part of a name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-")
