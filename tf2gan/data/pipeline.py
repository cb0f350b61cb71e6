"""Endless streams of examples; order and augmentation are pure functions of the seed, the epoch and the position."""
import dataclasses

import numpy as np
import tensorflow as tf

from tf2gan.core.seeds import fold

_SHUFFLE_BYTES = 2 ** 30  # of undecoded examples held for shuffling; smaller splits are shuffled as a whole
_LONGEST = 8.0  # of the image that is cropped, in times the side of what it has to cover; see _window
_HELD_BYTES = 2 ** 30  # of decoded images; smaller splits are decoded once and held, not decoded in each epoch


def stream(split, seed, start=0, augment=None, wanted=None):
    """Endless dataset of decoded examples of `split`, from position `start` of the sequence that begins at 0.

    Args:
        split: a `split.Split`.
        seed: int; sets the order of each epoch. Streams of different splits have different orders.
        start: number of examples already taken.
        augment: function of (example, seed of this position, int64 tensor [2]) that returns an example.
        wanted: function of a position, int64 [], that returns bool; other examples are skipped without decoding.
    """
    def epoch(number):
        # Not Dataset.shuffle: it mixes in TensorFlow's global seed, and if that is set, takes no tensor as a seed.
        def shuffled(block_number, block):
            order = _block_order(split, seed, number, block_number, tf.shape(tf.nest.flatten(block)[0])[0])
            return tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(lambda part: tf.gather(part, order), block))

        return split.records.batch(_block_size(split)).enumerate().flat_map(shuffled)

    def finish(position, record):
        example = split.decode(record)
        return augment(example, fold(seed, split.name, "augment", position)) if augment else example

    first_epoch, skipped = divmod(int(start), split.num_examples)
    records = tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(epoch).skip(skipped)
    records = records.enumerate(start)
    if wanted is not None:
        records = records.filter(lambda position, record: wanted(position))
    return records.map(finish, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _shared_batches(split, seed, batch_size, start, augment, share):
    """The part `share` (see `batches`) of each batch of a `stream`."""
    which, num = share
    size = batch_size // num

    def wanted(position):
        return (position - start) % batch_size // size == which

    examples = stream(split, seed, start, augment, wanted if num > 1 else None)
    return examples.batch(size, drop_remainder=True)


def _block_size(split):
    return max(1, min(split.num_examples, _SHUFFLE_BYTES // split.record_bytes))


def _block_order(split, seed, epoch, block_number, num):
    """The order of the `num` examples of one block of an epoch: int32 [num]."""
    return tf.argsort(tf.random.stateless_uniform([num], fold(seed, split.name, epoch, block_number),
                                                  minval=None, maxval=None, dtype=tf.int64))


def order(split, seed, epoch):
    """The order of `stream` in an epoch (int or int64 scalar): indices of examples, int32 [num_examples]."""
    size = _block_size(split)
    blocks = [first + _block_order(split, seed, epoch, number, min(size, split.num_examples - first))
              for number, first in enumerate(range(0, split.num_examples, size))]
    return tf.concat(blocks, axis=0)


def crop_and_mirror(image, seed, height, width, load_scale=1.0, mirror=False):
    """The CycleGAN paper's augmentation: resize, random crop, random horizontal flip (Zhu et al. 2017, sec. 7.1).

    The image is resized, keeping its aspect ratio, to cover `load_scale` times (height, width).

    Args:
        image: uint8 [h, w, channels], any h and w.
        seed: int tensor [2]; None crops the middle and never flips.

    Returns:
        float32 [height, width, channels] in [-1, 1].
    """
    image = tf.convert_to_tensor(image)
    channels = image.shape[-1]
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    target = tf.constant([height * load_scale, width * load_scale], tf.float32)
    scale = tf.reduce_max(target / size)
    longest = tf.cast(tf.math.ceil(_LONGEST * target / scale), tf.int32)
    image = tf.cond(tf.reduce_any(tf.shape(image)[:2] > longest), lambda: _window(image, longest, seed), lambda: image)
    size = tf.cast(tf.shape(image)[:2], tf.float32)
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


def _window(image, longest, seed):
    """A part of `image` of at most `longest`, int32 [2], at a random place, or in the middle if `seed` is None.

    A strip of 1 x 10 000 pixels would otherwise be enlarged as a whole, to gigabytes, of which a crop takes little.
    """
    size = tf.minimum(tf.shape(image)[:2], longest)
    room = tf.shape(image)[:2] - size
    offset = room // 2
    if seed is not None:
        place = tf.random.stateless_uniform([2], fold(seed, "window"))
        offset = tf.minimum(tf.cast(place * tf.cast(room + 1, tf.float32), tf.int32), room)
    return image[offset[0]:offset[0] + size[0], offset[1]:offset[1] + size[1]]


def unpaired_batches(splits, config, start=0, share=(0, 1)):
    """Endless training batches for unpaired translation: {"x", "y"}, float32 [batch, height, width, 3] in [-1, 1].

    `splits` has "trainA" and "trainB"; `config` has seed, batch_size, image_shape, load_scale and mirror. Each domain
    has its own epochs, so that no example of the larger one is left out.
    """
    height, width = config.image_shape

    def augment(example, seed):
        return crop_and_mirror(example["image"], seed, height, width, config.load_scale, config.mirror)

    return _of_domains(splits, config, start, share, augment).prefetch(2)


def _of_domains(splits, config, start, share, augment):
    return tf.data.Dataset.zip({
        name: _shared_batches(splits[split], config.seed, config.batch_size, start, augment, share)
        for name, split in (("x", "trainA"), ("y", "trainB"))})


def adapting_batches(splits, config, start=0, share=(0, 1)):
    """As `unpaired_batches`, with the labels of "x", int64 [batch]; of "y", "target_labels", if "trainB" has some."""
    height, width = config.image_shape

    def augment(example, seed):
        image = crop_and_mirror(_to_channels(example["image"], 3), seed, height, width, config.load_scale,
                                config.mirror)
        return _named(image, example.get("label"))

    def renamed(parts):
        batch = {name: part["images"] for name, part in parts.items()}
        labels = {"x": "labels", "y": "target_labels"}
        return {**batch, **{labels[name]: part["labels"] for name, part in parts.items() if "labels" in part}}

    return _of_domains(splits, config, start, share, augment).map(renamed).prefetch(2)


def paired_batches(splits, config, start=0, share=(0, 1)):
    """As `unpaired_batches`, but image i of x and of y are a pair: cropped and flipped alike."""
    a, b = splits["trainA"], splits["trainB"]
    height, width = config.image_shape
    both = dataclasses.replace(
        a, name="pairs", records=tf.data.Dataset.zip({"x": a.records, "y": b.records}),
        decode=lambda record: {"x": a.decode(record["x"])["image"], "y": b.decode(record["y"])["image"]},
        record_bytes=a.record_bytes + b.record_bytes)

    def augment(pair, seed):
        return {domain: crop_and_mirror(image, seed, height, width, config.load_scale, config.mirror)
                for domain, image in pair.items()}

    return _shared_batches(both, config.seed, config.batch_size, start, augment, share).prefetch(2)


@tf.autograph.experimental.do_not_convert  # nothing in it needs that, and it takes a second
def batches(splits, config, start=0, share=(0, 1)):
    """Endless training batches for the kind of `splits`: of two domains, one of which has labels, of pairs, unpaired,
    partly labelled, or images of one kind.

    `share`: (i, n) for the i-th of n equal parts of each batch, in order, such as for one of n machines.
    """
    if config.adapts:
        return adapting_batches(splits, config, start, share)
    if config.paired:
        return paired_batches(splits, config, start, share)
    if "trainA" in splits:
        return unpaired_batches(splits, config, start, share)
    if "labelled" in splits:
        return partly_labelled_batches(splits, config, config.real_batch_size, start, share)
    return image_batches(splits.get("kept", splits["train"]), config, config.real_batch_size, start, share)


def partly_labelled_batches(splits, config, batch_size, start=0, share=(0, 1)):
    """Endless batches {"images", "labelled_images", "labels"} for semi-supervised learning, each as `image_batches`.

    `splits`: what `labelled.divided` returned. If it has "supervised", batches also have "supervised_images" and
    "supervised_labels". Each kind has its own epochs.
    """
    kinds = {"images": "unlabelled", "labelled": "labelled", "supervised": "supervised"}
    streams = {kind: image_batches(splits[name], config, batch_size, start, share) for kind, name in kinds.items()
               if name in splits}

    def renamed(parts):
        batch = {"images": parts["images"]["images"], "labelled_images": parts["labelled"]["images"],
                 "labels": parts["labelled"]["labels"]}
        if "supervised" in parts:
            batch.update({f"supervised_{name}": part for name, part in parts["supervised"].items()})
        return batch

    return tf.data.Dataset.zip(streams).map(renamed).prefetch(2)


def image_batches(split, config, batch_size, start=0, share=(0, 1)):
    """Endless training batches of single images, in the order of `stream`; a batch can span two epochs.

    Images with another aspect ratio are resized to cover the requested size, and cropped at random. A split that needs
    no such crops and fits in memory is decoded and resized once: before this function returns, or if that is slow, each
    image when its turn comes.

    Args:
        split: a `split.Split`.
        config: has seed, image_shape (height, width), channels (1 or 3) and mirror (flip horizontally at random).
        start: number of examples already taken.
        share: see `batches`.

    Returns:
        tf.data.Dataset of {"images": float32 [batch_size, height, width, channels] in [-1, 1]}, with
        "labels", int64 [batch_size], if the split has class names. A share has only its part of these.
    """
    height, width = config.image_shape
    own_height, own_width, own_channels = split.image_shape
    held_bytes = split.num_examples * height * width * min(own_channels, config.channels) * (1 + config.mirror)
    if own_height and own_height * width == own_width * height and held_bytes <= _HELD_BYTES:
        dataset = _held_batches(split, config, batch_size, start, share)
    else:
        def augment(example, seed):
            image = _to_channels(example["image"], config.channels)
            return _named(crop_and_mirror(image, seed, height, width, mirror=config.mirror), example.get("label"))

        dataset = _shared_batches(split, config.seed, batch_size, start, augment, share)
    return dataset.prefetch(2)


def _named(images, labels):
    return {"images": images} if labels is None else {"images": images, "labels": labels}


def _to_channels(images, channels):
    """Images [..., 1 or 3] as [..., channels] of the same type: colour becomes luma, grey is repeated."""
    if images.shape[-1] == channels:
        return images
    return tf.image.rgb_to_grayscale(images) if channels == 1 else tf.image.grayscale_to_rgb(images)


def _held_batches(split, config, batch_size, start, share):
    held = (_held_as_needed if split.slow_to_decode else _held_at_once)(split, config)
    versions = 1 + config.mirror  # rows per image: as it is, and flipped

    def epoch(number):
        """Indices of held images in the order of an epoch, without those already taken."""
        rows = order(split, config.seed, number) * versions
        if config.mirror:
            # For a whole epoch at once: a seed for each position would cost more than all the rest of a batch.
            seed = fold(config.seed, split.name, "mirror", number)
            rows += tf.cast(tf.random.stateless_uniform([split.num_examples], seed) < 0.5, tf.int32)
        return rows[tf.maximum(start - number * split.num_examples, 0):]

    size = batch_size // share[1]

    def batch(rows):
        found = held(rows[share[0] * size:][:size])
        return {**found, "images": tf.cast(_to_channels(found["images"], config.channels), tf.float32) / 127.5 - 1.0}

    epochs = tf.data.Dataset.range(start // split.num_examples, tf.int64.max).map(epoch)
    options = tf.data.Options()
    options.experimental_optimization.apply_default_optimizations = False  # they would copy the held images
    return epochs.rebatch(batch_size, drop_remainder=True).map(batch).with_options(options)


def _decoder(split, config):
    """Function of a record that returns {"images": uint8 [versions, height, width, channels], maybe "labels": int64}.

    With mirror, the flipped copy is a second version of an image: memory is cheaper than flipping in each step.
    """
    height, width = config.image_shape
    channels = min(split.image_shape[2], config.channels)

    def decode(record):
        example = split.decode(record)
        image = _to_channels(example["image"], channels)
        if split.image_shape[:2] != (height, width):
            image = tf.image.resize(image, [height, width], antialias=True)
            image = tf.saturate_cast(tf.round(image), tf.uint8)
        image = tf.ensure_shape(image, [height, width, channels])
        return _named(tf.stack([image, image[:, ::-1]] if config.mirror else [image]), example.get("label"))

    return decode


def _held_at_once(split, config):
    """Function of rows, int32 [n], that returns their {"images": uint8 [n, height, width, channels], maybe "labels"}.

    Row r is version r % versions (see `_decoder`) of example r // versions. All are decoded here.
    """
    examples = split.records.map(_decoder(split, config), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    with tf.device("CPU"):  # tf.data looks for it there
        held = examples.batch(split.num_examples, drop_remainder=True).get_single_element()
        versions = held["images"].shape[1]
        images = tf.reshape(held["images"], [-1, *held["images"].shape[2:]])

    def found(rows):
        labels = tf.gather(held["labels"], rows // versions) if "labels" in held else None
        return _named(tf.gather(images, rows), labels)

    return found


def _held_as_needed(split, config):
    """As `_held_at_once`, but an example is decoded when a row of it is first asked for."""
    decode = _decoder(split, config)
    with tf.device("CPU"):
        records = split.records.batch(split.num_examples, drop_remainder=True).get_single_element()
    kinds = split.records.map(decode).element_spec
    held = {name: np.empty([split.num_examples, *kind.shape], kind.dtype.as_numpy_dtype)
            for name, kind in kinds.items()}
    known = np.zeros(split.num_examples, bool)
    versions = kinds["images"].shape[0]

    def lacking(rows):
        examples = rows // versions
        return np.unique(examples[~known[examples]])

    def kept(rows, new, *parts):
        for name, part in zip(held, parts):
            held[name][new] = part
        known[new] = True  # after the parts: another thread may look
        return [part[rows // versions, rows % versions] if name == "images" else part[rows // versions]
                for name, part in held.items()]

    def found(rows):
        # Stateless, as in `folders`: the rows decide all that comes out.
        new = tf.ensure_shape(tf.numpy_function(lacking, [rows], tf.int32, stateful=False), [None])
        parts = tf.map_fn(lambda i: decode(tf.nest.map_structure(lambda part: part[i], records)), new,
                          fn_output_signature=kinds)
        parts = tf.numpy_function(kept, [rows, new, *(parts[name] for name in held)],
                                  [kind.dtype for kind in kinds.values()], stateful=False)
        return {name: tf.ensure_shape(part, [*rows.shape, *(kind.shape[1:] if name == "images" else [])])
                for (name, kind), part in zip(kinds.items(), parts)}

    return found


def undisturbed(split, image_shape, num=None):
    """Finite dataset of the first `num` images (None: all) of a split, only resized and cropped in the middle.

    Each is float32 [height, width, channels] in [-1, 1]; `image_shape` is (height, width).
    """
    records = split.records.take(num or split.num_examples)
    return records.map(lambda record: crop_and_mirror(split.decode(record)["image"], None, *image_shape))


def fitted(image, image_shape):
    """Fits a picture uint8 [h, w, 1 or 3] to uint8 `image_shape` (height, width, channels), without augmentation.

    It is resized to cover that shape, antialiased, and cropped in the middle.
    """
    height, width, channels = image_shape
    image = crop_and_mirror(_to_channels(image, channels), None, height, width)
    return tf.cast(tf.round((image + 1.0) * 127.5), tf.uint8)


def of_shape(image, shape):
    """The picture uint8 [h, w, 3], `fitted` to `shape` (height, width) if it has another size; (None, None): as it is.

    For splits that are too large to be looked at as a whole, of which all that were looked at have that size.
    """
    if shape[0] is None:
        return image
    same = tf.reduce_all(tf.shape(image)[:2] == tf.constant(shape))
    return tf.ensure_shape(tf.cond(same, lambda: image, lambda: fitted(image, (*shape, 3))), [*shape, 3])


def drawn(split, image_shape, num, seed):
    """Finite dataset of `num` different examples of a split, in a random order set by `seed`.

    {"images": uint8 [height, width, channels]} with "labels", int64, if there are class names. `image_shape` is
    (height, width, channels); images are resized to cover it and cropped in the middle. Decodes one example at a time:
    memory holds only the undecoded examples of the shuffle buffer.
    """
    height, width, channels = image_shape

    def prepare(example):
        if split.image_shape[:2] == (height, width):
            image = _to_channels(example["image"], channels)
        else:
            image = fitted(example["image"], image_shape)
        return _named(tf.ensure_shape(image, image_shape), example.get("label"))

    return stream(split, seed).take(min(num, split.num_examples)).map(prepare)


def unpaired_examples(splits, config, num):
    """The first `num` held-out images of each domain, not augmented: {"x", "y"}, float32 [num, height, width, 3]."""
    def first(split):
        return _to_channels(next(iter(undisturbed(split, config.image_shape, num).batch(num))), 3)

    return {"x": first(splits["testA"]), "y": first(splits["testB"])}


def labelled_arrays(split, image_shape, channels):
    """All of a split, not augmented, as numpy arrays: images uint8 [num, height, width, channels], labels int64 [num].

    `image_shape` is (height, width); images are resized to cover it and cropped in the middle.
    """
    def prepare(record):
        example = split.decode(record)
        return fitted(example["image"], (*image_shape, channels)), example["label"]

    examples = split.records.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    images, labels = examples.batch(split.num_examples, drop_remainder=True).get_single_element()
    return images.numpy(), labels.numpy()
