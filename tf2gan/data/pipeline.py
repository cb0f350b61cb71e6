"""Endless streams of examples whose order and augmentation are pure functions of (seed, epoch) and of the position."""
import tensorflow as tf

from tf2gan.seeds import fold

_SHUFFLE_BYTES = 2 ** 30  # of undecoded examples held for shuffling; smaller splits are shuffled as a whole


def stream(split, seed, start=0, augment=None):
    """Endless dataset of decoded examples of `split`, from position `start` of the sequence that begins at 0.

    Args:
        split: a `load.Split`.
        seed: int; it gives the order of each epoch. Streams of different splits have different orders.
        start: number of examples already taken.
        augment: function of (example, seed of this position: int64 tensor [2]) to example.
    """
    block_size = max(1, min(split.num_examples, _SHUFFLE_BYTES // split.record_bytes))

    def epoch(number):
        # Not Dataset.shuffle: it mixes in TensorFlow's global seed, and takes no tensor for a seed when that is set.
        def shuffled(block_number, block):
            num = tf.shape(tf.nest.flatten(block)[0])[:1]
            keys = tf.random.stateless_uniform(num, fold(seed, split.name, number, block_number),
                                               minval=None, maxval=None, dtype=tf.int64)
            order = tf.argsort(keys)
            return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(lambda part: tf.gather(part, order), block))

        return split.records.batch(block_size).enumerate().flat_map(shuffled)

    def finish(position, record):
        example = split.decode(record)
        return augment(example, fold(seed, split.name, "augment", position)) if augment else example

    first_epoch, skipped = divmod(int(start), split.num_examples)
    records = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch).skip(skipped)
    return records.enumerate(start).map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def crop_and_mirror(image, seed, height, width, load_scale=1.0, mirror=False):
    """The CycleGAN paper's augmentation: resize, random crop, random mirroring (Zhu et al. 2017, sec. 7.1).

    The image is resized, keeping its proportions, to cover `load_scale` times (height, width).

    Args:
        image: uint8 [h, w, channels], any h and w.
        seed: int tensor [2]; None takes the middle and never mirrors.

    Returns:
        float32 [height, width, channels] in [-1, 1].
    """
    channels = image.shape[-1]
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    target = tf.constant([height * load_scale, width * load_scale], tf.float32)
    scale = tf.reduce_max(target / size)
    size = tf.maximum(tf.cast(tf.round(size * scale), tf.int32), [height, width])
    image = tf.image.resize(image, size, antialias=True)
    room = size - [height, width]
    if seed is None:
        top, left = room[0] // 2, room[1] // 2
    else:
        place = tf.random.stateless_uniform([2], fold(seed, "crop"))
        offset = tf.minimum(tf.cast(place * tf.cast(room + 1, tf.float32), tf.int32), room)
        top, left = offset[0], offset[1]
    image = image[top:top + height, left:left + width]
    if mirror and seed is not None:
        mirrored = tf.random.stateless_uniform([], fold(seed, "mirror")) < 0.5
        image = tf.where(mirrored, image[:, ::-1], image)
    image.set_shape([height, width, channels])
    return tf.clip_by_value(image / 127.5 - 1.0, -1.0, 1.0)


def unpaired_batches(splits, config, start=0):
    """Endless training batches for unpaired translation: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].

    `splits` has "trainA" and "trainB"; `config` has seed, batch_size, image_shape, load_scale and mirror. Each domain
    goes through epochs of its own, so that no example of the larger one is left out.
    """
    height, width = config.image_shape

    def augment(example, seed):
        return crop_and_mirror(example["image"], seed, height, width, config.load_scale, config.mirror)

    streams = {name: stream(splits[split], config.seed, start, augment) for name, split in (("x", "trainA"),
                                                                                           ("y", "trainB"))}
    return tf.data.Dataset.zip(streams).batch(config.batch_size, drop_remainder=True).prefetch(2)


def undisturbed(split, image_shape, num=None):
    """Finite dataset of the first `num` images (None: all) of a split, resized and cropped in the middle.

    Each is float32 [height, width, channels] in [-1, 1]; `image_shape` is (height, width).
    """
    records = split.records.take(num or split.num_examples)
    return records.map(lambda record: crop_and_mirror(split.decode(record)["image"], None, *image_shape))


def unpaired_examples(splits, config, num):
    """The first `num` held-out images of each domain, undisturbed: {"x", "y"}, float32 [num, height, width, 3]."""
    def first(split):
        return next(iter(undisturbed(split, config.image_shape, num).batch(num)))

    return {"x": first(splits["testA"]), "y": first(splits["testB"])}
