"""Folders of images: finds the files, checks that they can be read, and decodes them for tf.data."""
import collections
import concurrent.futures
import functools
import os
import pathlib
import re

import numpy as np
import tensorflow as tf

from tf2gan.core import images, terminal
from tf2gan.core.errors import UserError, printable
from tf2gan.data import remembered

UNPAIRED_SPLITS = ("trainA", "trainB", "testA", "testB")
# A data set of more files than MOST_CHECKED is not decoded as a whole before training, only LOOKED_AT of its images.
MOST_CHECKED, LOOKED_AT = 50_000, 10_000
_MOST_NAMES = 20  # names of a folder's contents listed in one message
_HEIF = {".heic", ".heif", ".hif"}
# Suffixes of pictures that Pillow does not read: a folder of them is a class that would be missing.
_OTHER_PICTURES = _HEIF | {".arw", ".cr2", ".cr3", ".dng", ".exr", ".hdr", ".jxl", ".nef", ".orf", ".raf", ".raw",
                           ".rw2", ".svg", ".xcf"}
_SUFFIX = "(ing|set|data|images)?"  # endings of nearly right names, such as "Training"
_SPLIT_LIKE = re.compile("(train|test|val|valid|validation|dev|eval|extra|unlabell?ed)" + _SUFFIX)


def find_images(folder, left_out=None):
    """All files under `folder` that are images (see `images.is_image`), as a sorted list of pathlib.Path.

    `left_out`: a collections.Counter to which the others are added, by suffix.

    Paths are sorted by their parts, by code point: the same on every file system and in every locale. Hidden files and
    folders do not count at all. Links are followed, each real folder once, so that loops end. A broken link is listed,
    so that `check` reports it. Raises UserError for a folder that cannot be listed.
    """
    folder = pathlib.Path(folder)

    def refuse(error):  # otherwise os.walk skips such folders silently
        raise UserError(f"cannot list {error.filename}: {error.strerror}") from error

    paths = []
    real_folders = set()
    for parent, folder_names, file_names in os.walk(folder, onerror=refuse, followlinks=True):
        real_folder = os.path.realpath(parent)
        if real_folder in real_folders:
            folder_names.clear()
            continue
        real_folders.add(real_folder)
        # Sorted, since only the first of two links to one folder counts.
        folder_names[:] = sorted(name for name in folder_names if not name.startswith("."))
        for name in file_names:
            if name.startswith("."):
                continue
            path = pathlib.Path(parent, name)
            if images.is_image(path):
                paths.append(path)
            elif left_out is not None:
                left_out[path.suffix.lower() or "no suffix"] += 1
    return sorted(paths, key=lambda path: path.relative_to(folder).parts)


def unpaired_splits(folder):
    """The images of an unpaired data set: {"trainA": paths, "trainB": ..., "testA": ..., "testB": ...}, in that order.

    Raises a one-line UserError if `folder` is not a folder, or one of the four sub folders is missing or has no images.
    """
    folder = existing(folder, f"a folder with the sub folders {', '.join(UNPAIRED_SPLITS)}")
    present = _sub_folders(folder)
    missing = [name for name in UNPAIRED_SPLITS if not (folder / name).is_dir()]
    if len(missing) == 4 and ("train" in present or _has_images(folder)):
        raise UserError(f"{folder} is laid out for models that make images of one kind; this one translates between "
                        f"two and needs the sub folders {', '.join(UNPAIRED_SPLITS)}; there: {_cut(present)}")
    if missing:
        raise UserError(_missing_message(folder, UNPAIRED_SPLITS, missing))
    return {name: some_images(folder / name) for name in UNPAIRED_SPLITS}


def image_splits(folder, splits):
    """The images of a data set with one kind of image: ({split: paths}, class names, {path: label}).

    Each split is the sub folder of its name. If there is neither a sub folder train nor one of `splits`, `folder`
    itself is the split "train". The sub folders of a split are its classes (a single one makes a set of one class) and
    have images at any depth. A split can also have images and no sub folders with images: class names is then None, and
    the labels are empty. Labels number the classes of "train" in natural order, 2 before 10; sub folders without images
    are no classes.

    Raises a one-line UserError if `folder` is not a folder, lacks one of `splits`, has no images or another layout, and
    if a split has a class that "train" lacks.
    """
    folder = existing(folder, "a folder of images, of one sub folder a class, or of train and test with either")
    present = _sub_folders(folder)
    if {"trainA", "trainB"} <= set(present):
        raise UserError(f"{folder} is laid out for translation between two kinds of images, and this model makes "
                        f"images of one; there: {_cut(present)}; did you mean {folder / 'trainA'}?")
    if _has_split_folders(folder, present, splits):
        missing = [name for name in splits if name not in present]
        if missing:
            raise UserError(_missing_message(folder, splits, missing))
        roots = {name: folder / name for name in splits}
    else:
        _refuse_folder_around(folder, present)
        if set(splits) != {"train"}:
            some_images(folder)
            raise UserError(f"{_missing_message(folder, splits, splits)}; what is there would be train alone")
        roots = {"train": folder}
    paths = {name: some_images(root) for name, root in roots.items()}
    class_names = {name: _class_names(root, paths[name]) for name, root in roots.items()}
    if "train" in present and "train" not in roots:  # labels number the classes of train, whatever `splits` are
        class_names["train"] = _class_names(folder / "train", some_images(folder / "train"))
    known = class_names.get("train", class_names[splits[0]])
    for name, own in class_names.items():
        strange = sorted(set(own or ()) - set(known or ()))
        if strange or (own is None) != (known is None):
            raise UserError(f"{folder / name} has {_described(strange or own)} and {folder / 'train'} has "
                            f"{_described(known)}; needed: the classes of train and no others")
    if known is None:
        return paths, None, {}
    numbers = {class_name: number for number, class_name in enumerate(known)}
    return paths, known, {path: numbers[_class_of(root, path)] for name, root in roots.items() for path in paths[name]}


def _has_split_folders(folder, present, splits):
    """Whether the sub folders `present` are splits; if not, they are classes or have no images."""
    others = [name for name in present if not _SPLIT_LIKE.fullmatch(_letters(name))]
    if "train" in present and not {"test", *splits} - {"train"} & set(present):
        with_images = [name for name in others if _has_images(folder / name)]
        if with_images:
            raise UserError(f"{folder}: train may be a split or a class beside {_cut(with_images)}; move these "
                            f"elsewhere if it is a split, or all classes into {folder / 'train'}")
    return bool(present) and (not others or bool({"train", *splits} & set(present)))


def _refuse_folder_around(folder, present):
    """Raises UserError if `folder` itself has no known layout, but one of its sub folders has."""
    for name in present:
        inner = _sub_folders(folder / name)
        alone = present == [name] and len(inner) > 1 and not _has_images(folder) and not _has_images(folder / name)
        if "train" in inner or {"trainA", "trainB"} <= set(inner) or alone:
            raise UserError(f"{folder} is one folder too high; there: {_cut(present)}; did you mean {folder / name}?")


def _class_names(root, paths):
    """The sub folders of `root` that `paths` lie in, sorted; None if they lie in `root` itself."""
    names = sorted({_class_of(root, path) for path in paths} - {None}, key=natural)
    for name in _sub_folders(root):
        left_out = collections.Counter()
        if name not in names and not find_images(root / name, left_out) and not _OTHER_PICTURES.isdisjoint(left_out):
            raise UserError(f"{printable(root / name)} has no images that Pillow reads, only {told_of(left_out)}, and "
                            "would be missing among the classes; convert them, or move the folder elsewhere")
    direct = [path.name for path in paths if _class_of(root, path) is None]
    if names and direct:
        raise UserError(f"{root} has {len(direct)} images, such as {direct[0]}, beside sub folders with images: "
                        f"{_cut(names)}; needed: each image in the sub folder of its class, or no sub folders")
    return tuple(names) or None


def natural(name):
    """A key that sorts names by the numbers in them: 2 before 10, a2 before a10."""
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in re.split("([0-9]+)", name)]


def _class_of(root, path):
    parts = path.relative_to(root).parts
    return parts[0] if len(parts) > 1 else None


def _described(class_names):
    return f"the classes {_cut(class_names)}" if class_names else "no classes"


def existing(folder, possible):
    """`folder` as a pathlib.Path. Raises UserError, which says what is `possible`, if it is not a folder."""
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        problem = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise UserError(f"{folder} {problem}; possible: {possible}")
    return folder


def some_images(folder):
    """What `find_images` finds; says what it leaves out. Raises UserError if there are no images."""
    left_out = collections.Counter()
    paths = find_images(folder, left_out)
    if not paths:
        there = f"; there: {told_of(left_out)}" if left_out else ""
        raise UserError(f"{printable(folder)} has no images; what counts: .png, .jpg and all else that Pillow reads"
                        f"{there}")
    if left_out:
        _say_once(f"left out in {printable(folder)}: {told_of(left_out)}")
    return paths


@functools.lru_cache(maxsize=None)
def _say_once(line):
    """Says it the first time in this process: a folder is read more than once."""
    terminal.say(line)


def told_of(left_out) -> str:
    """What files were left out, such as "12 .heic, 1 .txt"."""
    ordered = sorted(left_out.items(), key=lambda pair: (-pair[1], pair[0]))
    said = _cut([f"{num} {suffix}" for suffix, num in ordered])
    needs_heif = not _HEIF.isdisjoint(left_out)
    return said + (" (the package pillow-heif reads HEIC)" if needs_heif else "")


def _missing_message(folder, needed, missing):
    # Searches two levels: train/A is a common layout, and so is one more folder around everything.
    present = _sub_folders(folder)
    nested = [f"{name}/{inner}" for name in present for inner in _sub_folders(folder / name)]
    hints = []
    for name in missing:
        similar = [other for other in present + nested if re.fullmatch(name.lower() + _SUFFIX, _letters(other))]
        if similar:
            hints.append(f"rename {similar[0]} to {name}")
        elif name.startswith("test"):
            hints.append(f"move a few images from {name.replace('test', 'train')} to {name}")
    around = [name for name in present if all(f"{name}/{split}" in nested for split in needed)]
    if around:
        hints = [f"did you mean {folder / around[0]}?"]
    return (f"{folder} lacks the sub folders {', '.join(missing)}; needed: {', '.join(needed)}; there: "
            f"{_cut(present)}" + "".join(f"; {hint}" for hint in hints))


def _has_images(folder):
    """Whether `folder` itself has images, not only its sub folders."""
    try:
        return any(entry.is_file() and not entry.name.startswith(".") and images.is_image(entry.path)
                   for entry in os.scandir(folder))
    except OSError as error:
        raise UserError(f"cannot list {error.filename}: {error.strerror}") from error


def _letters(name):
    return re.sub("[^a-z]", "", name.lower())


def _cut(names):
    return (", ".join(names[:_MOST_NAMES]) or "none") + ", ..." * (len(names) > _MOST_NAMES)


def _sub_folders(folder):
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"cannot list {error.filename}: {error.strerror}") from error


def inspect(paths, progress=None):
    """Decodes every file that is not known from an earlier run: [(shape, reason)] in the order of `paths`.

    `shape`: (height, width, channels), with 1 channel if all pixels are grey, else 3; None if the file cannot be read.
    `reason` then says why in a few words. `progress`, if given, is called without arguments, in the calling thread,
    once for every finished file.
    """
    paths = list(paths)
    marked = remembered.marks(paths)
    known = remembered.recall(marked)
    for _ in known if progress is not None else ():
        progress()
    new = [path for path in paths if path not in known]
    inspected = {path: (shape, None) for path, shape in known.items()}
    try:
        for path, result in zip(new, in_threads(lambda path: inspect_one(images.read_image, path), new)):
            inspected[path] = result
            if progress is not None:
                progress()
    finally:
        # Also after Ctrl-C: what has been read need not be read again.
        remembered.remember(marked, {path: inspected[path][0] for path in new
                                     if inspected.get(path, (None, None))[0] is not None})
    return [inspected[path] for path in paths]


def in_threads(function, values):
    """The results for `values`, in their order, computed side by side."""
    executor = concurrent.futures.ThreadPoolExecutor(os.cpu_count())  # threads suffice: Pillow decodes outside the GIL
    try:
        yield from executor.map(function, values)
    finally:
        executor.shutdown(cancel_futures=True)  # or Ctrl-C would wait for all that remain


def inspect_one(read, what):
    """(shape, reason) as `inspect` has them, of the image that `read(what)` returns."""
    try:
        image = read(what)
    except images.UnreadableImage as error:
        return None, error.reason
    red, green, blue = np.moveaxis(image, -1, 0)
    is_grey = np.array_equal(red, green) and np.array_equal(red, blue)
    return (*image.shape[:2], 1 if is_grey else 3), None


def spread(num, most) -> list:
    """At most `most` of the numbers below `num`, evenly spread, in order."""
    return list(range(num)) if num <= most else [i * num // most for i in range(most)]


def readable(read, row, num, skip_unreadable):
    """What `read(row)` returns, or with `skip_unreadable`, if that cannot be read, the next of `num` rows that can.

    What is skipped is said once. Raises UnreadableImage.
    """
    for i in range(num):
        try:
            return read((row + i) % num)
        except images.UnreadableImage as error:
            if not skip_unreadable or i == num - 1:
                raise
            _say_once(f"skipped {error}; the next image stands for it")


def check(splits, skip_unreadable=False, progress=None):
    """Decodes all images of `splits`, {name: paths}: (splits, skipped, shapes, sizes).

    The splits are without the images that cannot be read. `skipped` is a list of (path, reason), for the caller to
    show; it is empty unless `skip_unreadable`. `shapes` is
    {name: (height, width, channels)}: height and width are None if images differ in size, channels is 1 if all are
    grey. `sizes` is {name: (smallest, largest)}, each (height, width). `progress` is called once for every finished
    file.
    Without `skip_unreadable`, raises UserError if a file cannot be read: a line that sums up, then one line per such
    file. Raises UserError if a split has no images left.
    """
    shape_of, skipped = shapes(splits, skip_unreadable, progress)
    readable = {name: [path for path in split if path in shape_of] for name, split in splits.items()}
    for name, split in readable.items():
        if not split:
            raise UserError(f"{name} has no images left: none of its {len(splits[name])} can be read")
    found = {name: [shape_of[path] for path in split] for name, split in readable.items()}
    sizes = {name: tuple(tuple(function(shape[axis] for shape in each) for axis in (0, 1)) for function in (min, max))
             for name, each in found.items()}
    return readable, skipped, {name: common_shape(each) for name, each in found.items()}, sizes


def shapes(splits, skip_unreadable=False, progress=None):
    """Decodes all images of `splits`, {name: paths}: ({path: shape as from `inspect`}, [(path, why it is left out)]).

    Raises UserError as `check` does for files that cannot be read, without `skip_unreadable`.
    """
    paths = [path for split in splits.values() for path in split]
    inspected = dict(zip(paths, inspect(paths, progress)))
    failed = [(path, inspected[path][1]) for path in paths if inspected[path][0] is None]
    if failed and not skip_unreadable:
        names = [f"{images.printable(path)}: {reason}" for path, reason in failed]
        summary = (f"{len(failed)} unreadable of {len(paths)} images, first: {names[0]}; --skip-unreadable goes on "
                   "without them")
        raise UserError("\n  ".join([summary] + names))
    return {path: shape for path, (shape, _) in inspected.items() if shape is not None}, failed


def common_shape(shapes) -> tuple:
    """(height, width, channels) of several; (None, None, channels) if heights or widths differ."""
    height, width, channels = (set(numbers) for numbers in zip(*shapes))
    same = len(height) == len(width) == 1
    return (min(height), min(width), max(channels)) if same else (None, None, max(channels))


def decode_row(read, row, num, skip_unreadable):
    """As `decode`, image `row` of `num`, of a set that was not looked at as a whole: what `read(row)` returns.

    With `skip_unreadable` as `readable` does it.
    """
    def one(row):
        return readable(read, int(row), num, skip_unreadable)

    return _in_python(one, row)


def decode(path):
    """Decodes the file at `path`, a scalar string tensor, to uint8 [height, width, 3]; for use in tf.data's map.

    The static shape is [None, None, 3]. A file that cannot be read ends the run of the graph with a tf.errors.OpError
    that contains the reason; `check` finds such files beforehand.
    """
    return _in_python(images.read_image, path)


def _in_python(read, argument):
    """What the Python function `read` returns for a tensor, uint8 [height, width, 3]."""
    # Stateless: a stateful op keeps tf.data from saving the position of an iterator in a checkpoint.
    image = tf.numpy_function(read, [argument], tf.uint8, stateful=False)
    image.set_shape([None, None, 3])
    return image
