"""One split of a data set, as undecoded examples."""
import dataclasses
import hashlib
import os
from typing import Callable, Optional, Tuple

import tensorflow as tf

NO_LABEL = -1  # the label of an image without one, as in tensorflow-datasets


def digest(listing) -> str:
    """What changes with a list of names, sizes, times."""
    return hashlib.sha256(repr(listing).encode("utf-8", "surrogateescape")).hexdigest()


def identity(paths, root) -> dict:
    """`Split.fingerprint` and `version` of files below `root`."""
    files = [(os.path.relpath(path, root), os.stat(path)) for path in paths]
    return {"fingerprint": digest([(path, stat.st_size) for path, stat in files]),
            "version": digest([(path, stat.st_size, stat.st_mtime_ns) for path, stat in files])}


def num_held_out(num) -> int:
    """How many of `num` images are held out where nobody says which: a tenth, at least 1, at most 100."""
    return min(100, max(1, num // 10))


@dataclasses.dataclass(frozen=True)
class Split:
    """A finite split: `records` yields undecoded examples in a fixed order, `decode` turns one into a dict of tensors.

    `decode(record)` has "image", uint8 [height, width, channels], and if there are class names "label", an int64 scalar
    (NO_LABEL: none). `record_bytes` is the mean size of a record.
    """

    name: str
    num_examples: int
    records: tf.data.Dataset
    decode: Callable
    record_bytes: int
    fingerprint: str = ""  # changes with the examples or their order, as far as names and sizes tell
    image_shape: Tuple[Optional[int], Optional[int], int] = (None, None, 3)  # of all images; None if they differ
    class_names: Optional[Tuple[str, ...]] = None  # the label is an index into it; None: no labels
    version: str = ""  # changes with the content too, as far as names, sizes and modification times tell
    names: Tuple[str, ...] = ()  # paths of an unpaired split's files below its folder, without suffixes
    summary: str = ""  # one line about the images for the user; empty: see `about`
    slow_to_decode: bool = False  # such as files: training begins before all are decoded

    @property
    def about(self) -> str:
        """One line about the images for the user."""
        height, width, channels = self.image_shape
        classes = [f"{len(self.class_names)} classes"] if self.class_names else []
        return self.summary or "; ".join([
            f"{self.num_examples} images", f"{width}x{height}" if height else "of several sizes",
            "grey" if channels == 1 else "colour", *classes])

    def in_order_of(self, class_names) -> "Split":
        """The split with labels that number `class_names`, if these are its classes in another order; else itself.

        Older versions sorted numeric names as text: 1, 10, 2. A model that was trained so keeps its order.
        """
        if not class_names or not self.class_names or set(class_names) != set(self.class_names) or (
                tuple(class_names) == tuple(self.class_names)):
            return self
        table = tf.constant([class_names.index(name) for name in self.class_names] + [NO_LABEL], tf.int64)

        def decode(record):
            example = self.decode(record)
            label = example["label"]
            return {**example, "label": table[tf.where(label == NO_LABEL, len(class_names), tf.cast(label, tf.int32))]}

        return dataclasses.replace(self, decode=decode, class_names=tuple(class_names))
