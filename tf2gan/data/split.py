"""One split of a data set, as undecoded examples."""
import dataclasses
from typing import Callable, Optional, Tuple

import tensorflow as tf

NO_LABEL = -1  # the label of an image without one, as in tensorflow-datasets


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
