"""In-memory data sets, with the shape and size of the default data sets, so that nothing is downloaded.

The pixels are noise, since no time depends on them. Photographs are JPEG files to decode, as smooth as real ones.
"""
import numpy as np
import tensorflow as tf

from tf2gan.data import labelled, load

NUM_PHOTOGRAPHS, PHOTOGRAPH = 1000, 256  # about as cycle_gan/apple2orange
NUM_PICTURES, MOST_BYTES = 60000, 2 ** 29  # as mnist; fewer if they are larger, since they are held in memory
CLASS_NAMES = tuple("0123456789")
_DIFFERENT = 16  # distinct images; decoding the same photograph again takes as long


def shape_of(gan_class, config):
    """(height, width, channels) of the pictures; without `config.image_size`, those of its data set."""
    if "trainA" in gan_class.splits:
        return PHOTOGRAPH, PHOTOGRAPH, 3
    size = 28 if config.dataset == "mnist" else 32
    height, width = config.image_shape if config.image_size is not None else (size, size)
    return height, width, config.channels or (1 if config.dataset.startswith("mnist") else 3)


def splits(gan_class, config):
    """{name: Split} for a method and a fitted config, as it trains on them."""
    shape = shape_of(gan_class, config)
    if "trainA" in gan_class.splits:
        return {name: _photographs(name, shape) for name in gan_class.splits}
    found = {name: _pictures(name, shape) for name in gan_class.splits}
    return labelled.divided(found, config) if gan_class.abilities.classifies else found


def _photographs(name, shape):
    rng = np.random.default_rng(len(name))
    coarse = rng.uniform(0, 255, [_DIFFERENT, 16, 16, 3]).astype(np.float32)
    pixels = tf.image.resize(coarse, shape[:2], "bicubic") + rng.normal(0, 6, shape)
    files = tf.stack([tf.io.encode_jpeg(tf.saturate_cast(image, tf.uint8)) for image in pixels])
    records = tf.data.Dataset.range(NUM_PHOTOGRAPHS).map(lambda number: {"image": files[number % _DIFFERENT]})

    def decode(record):
        return {"image": tf.ensure_shape(tf.io.decode_jpeg(record["image"], 3), shape)}

    return load.Split(name, NUM_PHOTOGRAPHS, records, decode, len(files[0].numpy()), image_shape=shape)


def _pictures(name, shape):
    different = tf.constant(np.random.default_rng(len(name)).integers(0, 256, [_DIFFERENT, *shape], np.uint8))
    num = min(NUM_PICTURES, MOST_BYTES // different[0].numpy().nbytes)
    records = tf.data.Dataset.range(num).map(
        lambda number: {"image": different[number % _DIFFERENT], "label": number % len(CLASS_NAMES)})
    return load.Split(name, num, records, dict, different[0].numpy().nbytes, image_shape=shape,
                      class_names=CLASS_NAMES)
