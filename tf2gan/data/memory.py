"""Images in memory as data sets, named by a hash of their content.

The same images have the same name in every process, so that a run on them can be resumed wherever they are given again.
"""
import collections
import hashlib

import numpy as np
import tensorflow as tf

from tf2gan.core.errors import UserError
from tf2gan.data.split import NO_LABEL, Split, num_held_out

PREFIX = "memory:"
MOST_BYTES = 2 ** 30  # of images in one split; more belong in files, which are read as needed
UNPAIRED = ("trainA", "trainB", "testA", "testB")
_SETS = {}  # {name: {split: Split}}, for as long as the process lives


def is_name(dataset) -> bool:
    """Whether this names a data set in memory, kept already or not."""
    return dataset.startswith(PREFIX)


def keep(data, kind="images") -> str:
    """Keeps `data` and returns the name under which `load.load` finds them.

    Args:
        data: the images of "train", or {split: images}. Images are a numpy array [n, height, width] or [n, height,
            width, 1 or 3], a list of arrays [height, width, 1 or 3] of any sizes, or a finite tf.data.Dataset of single
            images or batches. They are uint8, or floats from 0 to 1, which are rounded to 256 levels. With labels: a
            pair (images, labels) or a tf.data.Dataset of such pairs; labels are ints from 0 on (-1: none) or strings.
        kind: "images"; "unpaired": `data` is a pair (images of A, images of B), or a dict with trainA, trainB, testA
            and testB; "paired": the same, or a tf.data.Dataset of pairs (image of A, image of B), and image i of A and
            of B belong together and have one size. Of a pair, the last tenth of A and of B, at least 1 and at most 100
            images, is held out for the sample grids.

    Raises a one-line UserError for anything else.
    """
    two = kind != "images"
    if kind == "paired" and isinstance(data, tf.data.Dataset):
        data = tuple(data.map(lambda *pair, which=which: _of_pair(pair)[which]) for which in range(2))
    if two and not isinstance(data, dict):
        if not isinstance(data, (tuple, list)) or len(data) != 2:
            raise UserError("data: needed: (images of A, images of B), or a dict with "
                            f"{', '.join(UNPAIRED)}; this is {_kind(data)}")
        data = _held_out(*(_images_and_labels(part, f"data of {domain}")[0] for part, domain in zip(data, "AB")))
    parts = data if isinstance(data, dict) else {"train": data}
    lacking = [name for name in (UNPAIRED if two else ("train",)) if name not in parts]
    if lacking:
        raise UserError(f"data: lacks {', '.join(lacking)}; there: {', '.join(map(str, parts)) or 'nothing'}")
    found = {str(name): _images_and_labels(part, f"data of {name}") for name, part in parts.items()}
    if kind == "paired":
        _check_pairs(found)
    class_names = None if two else _class_names(found)
    splits = {name: _split(name, images, _numbers(labels, class_names, name), class_names, kind == "paired")
              for name, (images, labels) in found.items()}
    digest = hashlib.sha256(repr([(name, split.fingerprint) for name, split in sorted(splits.items())]).encode())
    name = f"{PREFIX}{digest.hexdigest()[:12]}"
    _SETS[name] = splits
    return name


def splits(dataset, needed, optional=(), unlabelled=()) -> dict:
    """{split: Split} of a data set that `keep` has named. Raises UserError if it or a needed split is missing."""
    if dataset not in _SETS:
        raise UserError(f"{dataset}: these images were given by a Python program, which has to give them again: "
                        "tf2gan.Run(FOLDER).resume(data=...), or another data set by name (--against)")
    there = _SETS[dataset]
    lacking = [name for name in (*needed, *unlabelled) if name not in there]
    if lacking:
        raise UserError(f"{dataset}: lacks {', '.join(lacking)}; it has {', '.join(there)}; give a dict of all that "
                        "are needed")
    return {name: there[name] for name in (*needed, *unlabelled, *(each for each in optional if each in there))}


def _of_pair(pair):
    pair = tuple(pair[0].values()) if len(pair) == 1 and isinstance(pair[0], dict) else pair
    if len(pair) != 2:
        raise UserError(f"data: elements have {len(pair)} parts; needed: pairs (image of A, image of B)")
    return pair


def _check_pairs(found):
    """Raises UserError unless the images of A and B in {split: (images, labels)} fit together, one by one."""
    for kind in ("train", "test"):
        a, b = (found[f"{kind}{domain}"][0] for domain in "AB")
        if len(a) != len(b):
            raise UserError(f"data of {kind}A and {kind}B: {len(a)} and {len(b)} images; needed: pairs")
        odd = [number for number, pair in enumerate(zip(a, b)) if pair[0].shape[:2] != pair[1].shape[:2]]
        if odd:
            raise UserError(f"data of {kind}A and {kind}B: {len(odd)} pairs are of two sizes, the numbers "
                            f"{', '.join(map(str, odd))}")


def _kind(value):
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype} {list(value.shape)}"
    return f"a {type(value).__name__}"


def _held_out(a, b):
    parts = {}
    for domain, images in (("A", a), ("B", b)):
        num = num_held_out(len(images))
        if len(images) < 2:
            raise UserError(f"data of {domain}: {len(images)} image: at least 2 are needed, of which one is held out")
        parts[f"train{domain}"], parts[f"test{domain}"] = images[:-num], images[-num:]
    return {name: parts[name] for name in UNPAIRED}


def _images_and_labels(data, where):
    """(uint8 images, an array [n, height, width, channels] or a list of such images; labels, a list or None)."""
    labels = None
    if isinstance(data, tf.data.Dataset):
        data, labels = _of_dataset(data, where)
    elif isinstance(data, tuple):
        if len(data) != 2:
            raise UserError(f"{where}: needed: images, or (images, labels); this is a tuple of {len(data)}")
        data, labels = data
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iuUO" or len(labels) != len(data):
            raise UserError(f"{where}: labels are one int or str for each of the {len(data)} images; these are "
                            f"{_kind(labels)}")
        labels = labels.tolist()
    if isinstance(data, (list, tuple)) and data and all(np.ndim(image) in (2, 3) for image in data):
        images = [_checked(np.asarray(image)[np.newaxis], where)[0] for image in data]
        images = np.stack(images) if len({image.shape for image in images}) == 1 else _same_channels(images)
    elif isinstance(data, np.ndarray) or tf.is_tensor(data):
        images = _checked(np.asarray(data), where)
    else:
        raise UserError(f"{where}: {_kind(data)} is no images; possible: a numpy array [n, height, width, 1 or 3], a "
                        "list of images, a tf.data.Dataset, the name of a data set, or a folder")
    total = sum(image.nbytes for image in images) if isinstance(images, list) else images.nbytes
    if total > MOST_BYTES:
        raise UserError(f"{where}: {total / 2 ** 30:.1f} GiB of images are too many to hold; write them to a folder, "
                        "and give its path")
    return images, labels


def _same_channels(images):
    if len({image.shape[-1] for image in images}) == 1:
        return images
    return [np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image for image in images]


def _checked(images, where):
    """Checks images and returns them as uint8 [n, height, width, 1 or 3]. Raises UserError."""
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise UserError(f"{where}: {_kind(images)} is no images; needed: [n, height, width], or [n, height, width, 1 "
                        "or 3]")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise UserError(f"{where}: {_kind(images)}: pixels are uint8, or floats from 0 to 1")
    low, high = float(images.min()), float(images.max())
    if not (0.0 <= low and high <= 1.0):  # NaN too
        raise UserError(f"{where}: floats from {low:g} to {high:g}: pixels are uint8, or floats from 0 to 1")
    return np.rint(images * 255).astype(np.uint8)


def _of_dataset(dataset, where):
    """Reads a tf.data.Dataset once: (images, labels or None)."""
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise UserError(f"{where}: an endless tf.data.Dataset; needed: one that ends, without repeat()")
    spec = dataset.element_spec
    if isinstance(spec, dict):
        names = [name for name in ("image", "images") if name in spec]
        if not names:
            raise UserError(f"{where}: elements have {', '.join(spec)}; needed: image, and label if there are any")
        label = next((name for name in ("label", "labels") if name in spec), None)
        dataset = dataset.map(lambda each: (each[names[0]], each[label]) if label else (each[names[0]],))
    elif not isinstance(spec, tuple):
        dataset = dataset.map(lambda image: (image,))
    spec = dataset.element_spec
    are_tensors = all(isinstance(part, tf.TensorSpec) for part in spec)
    if len(spec) > 2 or not are_tensors or spec[0].shape.rank not in (2, 3, 4):
        raise UserError(f"{where}: elements are {dataset.element_spec}; needed: images [height, width, 1 or 3], or "
                        "pairs of an image and its label")
    if spec[0].shape.rank == 4:
        dataset = dataset.unbatch()
    images, labels, total = [], [], 0
    for image, *label in dataset.as_numpy_iterator():
        images.append(image)
        total += image.nbytes // image.dtype.itemsize
        if total > MOST_BYTES:
            raise UserError(f"{where}: more than {MOST_BYTES / 2 ** 30:g} GiB of images are too many to hold; write "
                            "them to a folder, and give its path")
        labels += [each.decode() if isinstance(each, bytes) else int(each) for each in label]
    if not images:
        raise UserError(f"{where}: a tf.data.Dataset without images")
    return images, labels or None


def _class_names(found):
    """The class names of {split: (images, labels)}, from the labels of "train"; None if these are None."""
    labels = found["train"][1]
    if labels is None:
        return None
    if all(isinstance(label, str) for label in labels):
        return tuple(sorted(set(labels)))
    if any(isinstance(label, str) for label in labels):
        raise UserError("data of train: labels are all ints or all strings")
    if min(labels) < NO_LABEL:
        raise UserError(f"data of train: a label is {min(labels)}; possible: ints from 0 on, or {NO_LABEL} for none")
    return tuple(map(str, range(max(labels) + 1)))


def _numbers(labels, class_names, name):
    if class_names is None or labels is None:
        return None
    numbers = [class_names.index(label) if isinstance(label, str) and label in class_names else label
               for label in labels]
    strange = [label for label in numbers if isinstance(label, str) or not NO_LABEL <= label < len(class_names)]
    if strange:
        raise UserError(f"data of {name}: the label {strange[0]!r} is not one of train's: "
                        f"{', '.join(class_names[:20])}")
    return numbers


def _split(name, images, numbers, class_names, paired=False):
    digest, records = hashlib.sha256(), collections.OrderedDict()
    for image in images:
        digest.update(f"{image.shape}".encode() + np.ascontiguousarray(image).tobytes())
    num = len(images)
    if isinstance(images, list):
        shape = (None, None, images[0].shape[-1])
        records["image"] = [tf.io.encode_png(image).numpy() for image in images]
    else:
        shape = tuple(images.shape[1:])
        records["image"] = images
    if class_names is not None:
        numbers = numbers or [NO_LABEL] * num
        records["label"] = np.array(numbers, np.int64)
        digest.update(repr((numbers, class_names)).encode())

    def decode(record):
        image = record["image"]
        image = tf.io.decode_png(image, shape[2]) if image.dtype == tf.string else image
        example = {"image": tf.ensure_shape(image, shape)}
        return example if class_names is None else {**example, "label": record["label"]}

    size = sum(image.nbytes for image in images) // num if isinstance(images, list) else images[0].nbytes
    content = f"memory {digest.hexdigest()}"
    return Split(name, num, tf.data.Dataset.from_tensor_slices(dict(records)), decode, max(1, size), content, shape,
                 class_names, content, tuple(map(str, range(num))) if paired else ())
