"""One split of a data set, as undecoded examples."""
import dataclasses
from typing import Callable, Optional, Tuple

import tensorflow as tf

NO_LABEL = -1  # the label of an image that has none, as tensorflow-datasets has it


@dataclasses.dataclass(frozen=True)
class Split:
    """A finite split: `records` yields undecoded examples in a fixed order, `decode` makes one a dict of tensors.

    `decode(record)` has "image", uint8 [height, width, channels], and where there are class names also "label", an
    int64 scalar, NO_LABEL for none. `record_bytes` is the mean size of a record.
    """

    name: str
    num_examples: int
    records: tf.data.Dataset
    decode: Callable
    record_bytes: int
    fingerprint: str = ""  # changes with the examples or their order, as far as names and sizes tell
    image_shape: Tuple[Optional[int], Optional[int], int] = (None, None, 3)  # of all images; None where they differ
    class_names: Optional[Tuple[str, ...]] = None  # the label is a position in it; None: no labels
    version: str = ""  # changes with the content too, as far as names, sizes and times of change tell
    names: Tuple[str, ...] = ()  # of the files of an unpaired split, below its folder, without their suffixes
