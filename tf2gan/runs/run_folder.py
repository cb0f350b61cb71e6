"""A run is a folder of config.json, metrics.jsonl, samples/, checkpoints/ and TensorBoard events."""
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import uuid
from typing import Optional

import tensorflow as tf

from tf2gan.core import files
from tf2gan.core.errors import UserError, printable
from tf2gan.core.versions import versions
from tf2gan.runs import logbook

KEEP_CHECKPOINTS = 3
# The exact names of what a run writes. Whatever else a user puts beside it, such as copies, is never touched.
_LAST, _BEST = re.compile(r"[0-9]{10,12}"), re.compile(r"best-[0-9]{10,12}")
_NUMBERED = re.compile(r"(best-)?[0-9]{10,12}")
_HALF_WRITTEN = re.compile(r"\.writing-[0-9a-f]{32}")
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}\.tmp")
_OWN = re.compile(rf"({_NUMBERED.pattern})(\.png)?|{_HALF_WRITTEN.pattern}|{_TEMPORARY.pattern}")


def next_run_dir(model: str, dataset: str) -> pathlib.Path:
    """runs/MODEL-DATASET-NNN with the next free number."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", pathlib.PurePath(dataset).name)
    taken = [int(path.name[-3:]) for path in pathlib.Path("runs").glob(f"{model}-{name}-[0-9][0-9][0-9]")]
    return pathlib.Path("runs", f"{model}-{name}-{max(taken, default=0) + 1:03d}")


def epoch_images(sizes: dict) -> Optional[int]:
    """Images in one pass over the largest training split of {split: its size}; None without training splits."""
    if "kept" in sizes:  # a part of "train"
        return sizes["kept"]
    return max((size for split, size in sizes.items() if split.startswith("train") or split == "unlabelled"),
               default=None)


@contextlib.contextmanager
def created(path, record: dict):
    """Creates a run folder with `record` as config.json, and yields its Run, locked.

    `path`: a path, or a function without arguments that returns the next free one. If the `with` block fails before
    anything is trained, what the run has written is removed again, with the folder if that is new. Raises UserError if
    the folder is not free, if another process trains in it, or if it cannot be written.
    """
    path, is_new = _made_folder(path)
    with _locked(path):
        check_new(path)  # again, under the lock: another process may have been faster
        try:
            _remove_remains(path)
            files.write_atomically(path / "config.json", json.dumps(record, indent=2) + "\n")
            yield Run(path)
        except BaseException as error:
            if not _in_use(path):
                with contextlib.suppress(OSError):
                    _remove_remains(path)
                    if is_new:
                        (path / ".lock").unlink()
                        path.rmdir()
            if isinstance(error, OSError) and not (path / "config.json").exists():
                raise UserError(f"--run-dir {printable(path)}: cannot be written: {error.strerror}") from error
            raise


def _made_folder(path):
    """(the folder, made if it was not there, whether it is new)."""
    while True:
        chosen = pathlib.Path(path() if callable(path) else path)
        try:
            chosen.mkdir(parents=True)
            return chosen, True
        except FileExistsError:
            if not callable(path):
                check_new(chosen)
                return chosen, False
        except OSError as error:
            raise UserError(f"--run-dir {printable(chosen)}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def _locked(path):
    name, busy = path / ".lock", UserError(f"{printable(path)}: another process is training in this run folder")
    try:
        file = open(name, "w")
    except OSError as error:
        raise UserError(f"{printable(path)}: cannot be written: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(name)):
                raise busy  # the one before has just removed its folder
        except OSError as error:
            raise busy from error
        yield


def _remove_remains(path):
    for old in _remains(path):
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()


def _remains(path):
    """What a run that ended before its first checkpoint has left in its folder; [] if no run was there.

    Only a folder with the config.json of a run is one; whatever else bears such names is the user's.
    """
    unfinished = [other for other in path.glob(".config.json.*") if _TEMPORARY.fullmatch(other.name)]
    try:
        Run(path)
    except UserError:
        return unfinished
    names = re.compile(r"config\.json|metrics\.jsonl|events\.out\.tfevents\..*\.v2|samples|checkpoints")
    return [*unfinished, *(other for other in path.iterdir()
                           if names.fullmatch(other.name) or (_TEMPORARY.fullmatch(other.name) and other.is_file()))]


def check_new(path):
    """Raises UserError unless `path` is free for a new run; writes nothing.

    A run without a checkpoint, in which nothing was trained yet, leaves its folder free.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        others = {other.name for other in path.iterdir()} - {other.name for other in _remains(path)} - {".lock"}
        if others or _in_use(path):
            hint = f"; --resume {path} goes on with the run in it" if (path / "config.json").exists() else ""
            raise UserError(f"--run-dir {printable(path)}: the folder is not empty{hint}")
    elif os.path.lexists(path):
        raise UserError(f"--run-dir {path}: there is a file of that name")
    try:
        files.check_writable(path)
    except UserError as error:
        raise UserError(f"--run-dir {printable(path)} cannot be written: {error}") from error


def _in_use(path):
    """Whether a folder has what only a run that has begun to train, or a user, puts there."""
    files_of_user = [other for name in ("samples", "checkpoints") if (path / name).is_dir()
                     for other in (path / name).iterdir() if not _OWN.fullmatch(other.name)]
    has_checkpoint = any(_NUMBERED.fullmatch(other.name) for other in (path / "checkpoints").glob("*"))
    logged = path / "metrics.jsonl"
    return bool(files_of_user) or has_checkpoint or (logged.exists() and logged.stat().st_size > 0)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint: its folder and its info.json."""

    path: pathlib.Path
    info: dict

    @property
    def is_best(self) -> bool:
        """Whether it is kept for its metric value, and not as one of the last."""
        return self.path.name.startswith("best-")

    def check_stack(self):
        """Raises UserError if another major version of Keras wrote it.

        Keras 2 and 3 list the variables of networks and optimizers in different orders, so that a value could be
        restored to another variable of the same shape.
        """
        wrote, reads = self.info.get("versions", {}), versions()
        if "keras" in wrote and wrote["keras"].split(".")[0] != reads["keras"].split(".")[0]:
            name = "TensorFlow {tensorflow} with Keras {keras}".format_map
            raise UserError(f"checkpoint {self.path} was written by {name(wrote)}, which {name(reads)} cannot read: "
                            "use the environment that wrote it; what tools/export.py makes of it there serves here too")


class Run:
    """An existing run folder."""

    def __init__(self, path):
        """Raises UserError if `path` is not a run folder."""
        self.path = pathlib.Path(path)
        file = self.path / "config.json"
        if not self.path.is_dir():
            raise UserError(f"{path}: no such run folder")
        if not file.exists():
            raise UserError(f"{path}: not a run folder: it has no config.json")
        try:
            self.record = json.loads(file.read_text(encoding="utf-8"))
            for name, kind in (("model", str), ("config", dict), ("options", dict), ("data", dict)):
                if not isinstance(self.record[name], kind):
                    raise ValueError(f"{name} is no {kind.__name__}")
        except (ValueError, TypeError, KeyError, OSError) as error:
            raise UserError(f"{file}: not the configuration of a run: {error!r}") from error

    @property
    def evaluation_file(self) -> pathlib.Path:
        """The file with the metric values of the last evaluation."""
        return self.path / "evaluation.json"

    def locked(self):
        """A context that keeps a second process from training in the same folder. Raises UserError if one does."""
        return _locked(self.path)

    def update(self, values: dict):
        """Changes entries of config.json."""
        if any(self.record.get(name) != value for name, value in values.items()):
            self.record.update(values)
            files.write_atomically(self.path / "config.json", json.dumps(self.record, indent=2) + "\n")

    # Checkpoints: each is a folder, complete or absent.

    def checkpoints(self) -> list:
        """The last checkpoints, oldest first, without the best. Raises UserError if one is damaged."""
        return self._checkpoints(_LAST)

    def best(self) -> Optional[Checkpoint]:
        """The checkpoint with the best metric value; None if there is none. Raises UserError if it is damaged."""
        # A kill may have left two; the later is better, or it would not have been written.
        return (self._checkpoints(_BEST) or [None])[-1]

    def all_checkpoints(self) -> list:
        """The last checkpoints and the best, oldest first; of two with the same images the best comes first."""
        best = self.best()
        return sorted([*([best] if best else []), *self.checkpoints()], key=lambda each: each.info["images"])

    def newest(self) -> Optional[Checkpoint]:
        """The checkpoint to resume from: that with the most images, even if it is the best; None without any."""
        return (self.all_checkpoints() or [None])[-1]

    def _checkpoints(self, names):
        found, folder = [], self.path / "checkpoints"
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not names.fullmatch(path.name):
                continue
            try:
                found.append(Checkpoint(path, json.loads((path / "info.json").read_text(encoding="utf-8"))))
            except (OSError, ValueError) as error:  # never skipped: the user would resume an older one unawares
                way_out = f"remove it to go on from {found[-1].path}" if found else "no older one is there"
                raise UserError(f"checkpoint {path} cannot be read: info.json: {error}; {way_out}") from error
        return found

    def save(self, gan, info: dict, best=None) -> pathlib.Path:
        """Writes a checkpoint under a temporary name, renames it, and deletes all but the newest.

        `best`: the metric value, for JSON, that makes it the best. It then replaces the previous best checkpoint, and
        the last ones stay. It is a full copy even if one of the last has the same images: it will need the disk space
        anyway, as soon as those are deleted.
        """
        folder = self.path / "checkpoints"
        images = int(gan.images_seen.numpy())
        target = folder / (f"{images:010d}" if best is None else f"best-{images:010d}")
        if target.exists():  # the same state again, after a resume that had nothing to do
            return target
        temporary = folder / f".writing-{uuid.uuid4().hex}"
        temporary.mkdir(parents=True)
        try:
            with files.plainly_named(temporary) as place:
                tf.train.Checkpoint(gan=gan).write(str(place / "state"))
            info = {"images": images, "versions": versions(), **info, **({"best": best} if best is not None else {})}
            files.write_atomically(temporary / "info.json", json.dumps(info, indent=2) + "\n")
            for file in temporary.iterdir():
                files.sync(file)
            os.replace(temporary, target)
        except BaseException:  # such as a full disk, which this would fill further
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        files.sync(folder)
        self._drop(self.checkpoints()[:-KEEP_CHECKPOINTS] if best is None else self._checkpoints(_BEST)[:-1])
        return target

    def _drop(self, checkpoints):
        for old in checkpoints:
            leftover = old.path.with_name(f".writing-{uuid.uuid4().hex}")
            os.replace(old.path, leftover)  # else a kill could leave half of it under its name
            shutil.rmtree(leftover)

    def restore(self, gan, checkpoint: Checkpoint):
        """Restores everything, or raises a UserError that says what to do."""
        checkpoint.check_stack()
        older = [str(other.path) for other in self.all_checkpoints()
                 if other.path != checkpoint.path and other.info["images"] <= checkpoint.info["images"]]
        way_out = f"remove it to go on from {older[-1]}" if older else "no older one is there"
        try:
            with files.plainly_named(checkpoint.path) as place:
                status = tf.train.Checkpoint(gan=gan).read(str(place / "state"))
                num_replicas = checkpoint.info["replicas"]
                if gan.num_local_replicas <= num_replicas:
                    status.assert_existing_objects_matched()
                else:
                    status.assert_nontrivial_match()
                status.expect_partial()  # else TensorFlow warns of unused values, those of replicas that are not here
                gan.restored(num_replicas)
        except (tf.errors.OpError, ValueError, AssertionError, RuntimeError, LookupError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UserError(f"checkpoint {checkpoint.path} cannot be read: {reason}; {way_out}") from error

    def remove_leftovers(self, images: int):
        """After a kill: deletes half-written files and checkpoints, and what was logged after the checkpoint, `images`.
        """
        for path in (self.path / "checkpoints").glob(".writing-*"):
            if _HALF_WRITTEN.fullmatch(path.name):
                shutil.rmtree(path)
        self._drop(self._checkpoints(_BEST)[:-1])
        for path in (*self.path.glob(".*.tmp"), *(self.path / "samples").glob(".*.tmp")):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink()
        for path in self.path.glob("events.out.tfevents.*"):
            _cut_events(path, images)
        kept = (line for line in self.metrics() if line["images"] <= images)
        files.write_atomically(self.path / "metrics.jsonl", (f"{json.dumps(line)}\n" for line in kept))

    def metrics(self):
        """Yields the objects of metrics.jsonl, without a half-written last line."""
        return logbook.read(self.path / "metrics.jsonl")

    def history(self) -> logbook.Thinned:
        """`metrics`, of which log lines are thinned out if there are very many."""
        return logbook.Thinned(self.metrics(), whole=logbook.is_evaluation)

    def logs(self) -> logbook.Thinned:
        """Those of `metrics` that are means over steps, thinned out if there are very many."""
        return logbook.Thinned(line for line in self.metrics() if not logbook.is_evaluation(line))

    def evaluations(self) -> list:
        """Those of `metrics` that are metric values of evaluations."""
        return [line for line in self.metrics() if logbook.is_evaluation(line)]

    def log(self, values: dict):
        """Appends one object to metrics.jsonl."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")


def _cut_events(path, images):
    """Removes from a TensorBoard file what is later than `images`, and a half-written end."""
    if all(step is not None and step <= images for _, step in _events(path)):
        return
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with files.plainly_named(path.parent) as place, tf.io.TFRecordWriter(str(place / temporary.name)) as writer:
        for record, step in _events(path):
            if step is not None and step <= images:
                writer.write(record)
    os.replace(temporary, path)


def _events(path):
    """Yields (record, its step) of a TensorBoard file; (None, None) for a half-written end."""
    records = tf.data.TFRecordDataset(os.fsencode(path.absolute())).as_numpy_iterator()
    try:
        for record in records:
            yield record, tf.compat.v1.Event.FromString(record).step
    except tf.errors.DataLossError:  # a kill left half a record, after which there is nothing
        yield None, None


class Nowhere:
    """Stands in for a Run on workers that are not the chief: it reads and writes nothing."""

    def logs(self) -> list:
        return []

    def save(self, gan, info: dict, best=None):
        pass
