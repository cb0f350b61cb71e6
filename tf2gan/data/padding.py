"""Data sets with names such as `mnist@32`: each image is centred in a black square of that size in pixels."""
import dataclasses

import tensorflow as tf

from tf2gan.core.errors import UserError


def parted(dataset):
    """Splits a name into (name of the data set, size in pixels to pad images to or, without @, None).

    Raises UserError if the size is not a number of pixels.
    """
    name, at, size = dataset.partition("@")
    if not at:
        return dataset, None
    if not (name and size.isascii() and size.isdecimal() and int(size)):
        raise UserError(f"dataset {dataset!r}: needed: NAME@N, where N is the size in pixels to which images are "
                        "padded")
    return name, int(size)


def padded(split, size, dataset):
    """The `split.Split` with each image centred in `size` x `size` black pixels.

    Raises UserError for images that are larger or differ in size.
    """
    height, width, channels = split.image_shape
    if height is None or max(height, width) > size:
        what = "differ in size" if height is None else f"are of {height}x{width} pixels"
        raise UserError(f"dataset {dataset!r}: its images {what}; padding is for images of one size, no larger")
    top, left = (size - height) // 2, (size - width) // 2
    edges = [[top, size - height - top], [left, size - width - left], [0, 0]]

    def decode(record):
        example = split.decode(record)
        return {**example, "image": tf.ensure_shape(tf.pad(example["image"], edges), [size, size, channels])}

    mark = f" padded to {size}"
    return dataclasses.replace(split, decode=decode, image_shape=(size, size, channels),
                               fingerprint=split.fingerprint + mark, version=split.version and split.version + mark)
