"""Folders of images: which files count, which of them can be read, and how tf.data decodes them."""
import concurrent.futures
import os
import pathlib
import re

import tensorflow as tf

from tf2gan import images
from tf2gan.errors import UserError

UNPAIRED_SPLITS = ("trainA", "trainB", "testA", "testB")
_MOST_NAMES = 20  # of a folder's contents in one message


def find_images(folder):
    """All image files (see images.IMAGE_SUFFIXES, upper case too) under `folder`, as a sorted list of pathlib.Path.

    The order is that of the path's parts by code point: the same on every file system and in every locale. Hidden
    files and folders are left out. Links are followed, each real folder once, so that loops end; a link that leads
    nowhere is listed, for `unreadable` to tell. Raises UserError for a folder that cannot be listed.
    """
    folder = pathlib.Path(folder)

    def refuse(error):  # os.walk passes over such folders otherwise
        raise UserError(f"cannot list {error.filename}: {error.strerror}") from error

    paths = []
    real_folders = set()
    for parent, folder_names, file_names in os.walk(folder, onerror=refuse, followlinks=True):
        real_folder = os.path.realpath(parent)
        if real_folder in real_folders:
            folder_names.clear()
            continue
        real_folders.add(real_folder)
        # Sorted, since of two links to one folder the first one counts.
        folder_names[:] = sorted(name for name in folder_names if not name.startswith("."))
        paths += [pathlib.Path(parent, name) for name in file_names
                  if not name.startswith(".") and os.path.splitext(name)[1].lower() in images.IMAGE_SUFFIXES]
    return sorted(paths, key=lambda path: path.relative_to(folder).parts)


def unpaired_splits(folder):
    """The images of an unpaired data set: {"trainA": paths, "trainB": ..., "testA": ..., "testB": ...}, in that order.

    Raises UserError, in one line, if `folder` is no folder, or one of the four sub folders is missing or has no images.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        problem = "is not a folder" if os.path.lexists(folder) else "does not exist"
        raise UserError(f"{folder} {problem}; possible: a folder with the sub folders {', '.join(UNPAIRED_SPLITS)}")
    missing = [name for name in UNPAIRED_SPLITS if not (folder / name).is_dir()]
    if missing:
        raise UserError(_missing_message(folder, missing))
    splits = {name: find_images(folder / name) for name in UNPAIRED_SPLITS}
    for name, paths in splits.items():
        if not paths:
            raise UserError(f"{folder / name} has no images; what counts: files ending in "
                            f"{', '.join(images.IMAGE_SUFFIXES)}")
    return splits


def _missing_message(folder, missing):
    try:
        # Two levels, since train/A is a common layout, and so is a folder too many around everything.
        present = _sub_folders(folder)
        nested = [f"{name}/{inner}" for name in present for inner in _sub_folders(folder / name)]
    except OSError as error:
        return f"cannot list {error.filename}: {error.strerror}"
    hints = []
    for name in missing:
        similar = [other for other in present + nested if re.sub("[^a-z]", "", other.lower()) == name.lower()]
        if similar:
            hints.append(f"rename {similar[0]} to {name}")
        elif name.startswith("test"):
            hints.append(f"move a few images from {name.replace('test', 'train')} to {name}")
    around = [name for name in present if all(f"{name}/{split}" in nested for split in UNPAIRED_SPLITS)]
    if around:
        hints = [f"did you mean {folder / around[0]}?"]
    more = ", ..." if len(present) > _MOST_NAMES else ""
    return (f"{folder} lacks the sub folders {', '.join(missing)}; needed: {', '.join(UNPAIRED_SPLITS)}; there: "
            f"{', '.join(present[:_MOST_NAMES]) or 'none'}{more}" + "".join(f"; {hint}" for hint in hints))


def _sub_folders(folder):
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def unreadable(paths, progress=None):
    """Decodes every file and returns [(path, reason in a few words)] of those that cannot be read, in order of `paths`.

    `progress`, if given, is called without arguments, in the calling thread, once for every finished file.
    """
    paths, failed = list(paths), []
    executor = concurrent.futures.ThreadPoolExecutor(os.cpu_count())  # threads do: Pillow decodes outside the GIL
    try:
        for path, reason in zip(paths, executor.map(_why_unreadable, paths)):
            if reason is not None:
                failed.append((path, reason))
            if progress is not None:
                progress()
    finally:
        executor.shutdown(cancel_futures=True)  # or Ctrl-C would wait for all that is left
    return failed


def _why_unreadable(path):
    try:
        images.read_image(path)
    except images.UnreadableImage as error:
        return error.reason
    return None


def check(splits, skip_unreadable=False, progress=None):
    """Decodes all images of `splits`, {name: paths}, and returns (splits, skipped) without those that cannot be read.

    `skipped` is a list of (path, reason), for the caller to show; it is empty unless `skip_unreadable`. `progress` is
    called once for every finished file.
    Raises UserError if a file cannot be read and not `skip_unreadable`: one line that sums up, then one for every such
    file. Raises UserError if a split has nothing left.
    """
    paths = [path for split in splits.values() for path in split]
    failed = unreadable(paths, progress)
    if failed and not skip_unreadable:
        names = [f"{images.printable(path)}: {reason}" for path, reason in failed]
        summary = (f"{len(failed)} unreadable of {len(paths)} images, first: {names[0]}; --skip-unreadable goes on "
                   "without them")
        raise UserError("\n  ".join([summary] + names))
    failed_paths = {path for path, _ in failed}
    readable = {name: [path for path in split if path not in failed_paths] for name, split in splits.items()}
    for name, split in readable.items():
        if not split:
            raise UserError(f"{name} has no images left: none of its {len(splits[name])} can be read")
    return readable, failed


def decode(path):
    """For tf.data's map: the file at `path`, a scalar string tensor, as a uint8 tensor [height, width, 3].

    Static shape [None, None, 3]. A file that cannot be read ends the run of the graph with a tf.errors.OpError that
    has the reason in it; `check` finds such files before.
    """
    # Stateless: a stateful op keeps tf.data from saving the position of an iterator in a checkpoint.
    image = tf.numpy_function(images.read_image, [path], tf.uint8, stateful=False)
    image.set_shape([None, None, 3])
    return image
