"""Turns a Request into a run: data, devices, networks, run folder, training loop, final message."""
import contextlib
import dataclasses
import json
import pathlib
from typing import Optional

import tensorflow as tf

from tf2gan.core import files, progress, terminal
from tf2gan.core.errors import Failure, UserError, reason
from tf2gan.core.versions import versions
from tf2gan.data import domains, held_out, labelled, load, pairs
from tf2gan.runs import beginning, run_folder
from tf2gan.runs.record import check_own_networks, check_same_data
from tf2gan.training import cluster, early_stopping, summary
from tf2gan.training.devices import make_strategy, settings_kept
from tf2gan.training.loop import Diverged, Trainer, build_gan
from tf2gan.training.options import check_options
from tf2gan.training.plan import announcement, check_data, epoch_images, growth, total_images
from tf2gan.training.reporter import Reporter, Silence, confusion_matrix


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a session ended: a message for the user, and the number of the signal that ended it early, if any."""

    message: str
    signal: Optional[int] = None
    folder: Optional[pathlib.Path] = None  # of the run


def resolved(request) -> str:
    """The whole configuration as JSON, as --config takes it."""
    return json.dumps(request.record(), indent=2)


def dry_run(request, measuring=None) -> str:
    """Describes the run: configuration, data, networks with their layers and parameters, memory, images, steps.

    `measuring` as for `run`.
    """
    request, strategy, splits, total = _prepared(request, measuring)
    gan = build_gan(request.gan_class, request.config, total, strategy, num_epoch=epoch_images(splits),
                    own=request.own)
    return "\n\n".join([resolved(request), _describe_data(request, splits, total),
                        *(summary.layers(*network) for network in gan.networks.values()),
                        summary.memory(gan, strategy)])


def run(request, measuring=None, callbacks=()) -> Outcome:
    """Starts or resumes a run and trains to its end or to a signal, together with the workers of TF_CONFIG, if any.

    Args:
        measuring: the module that evaluates a GAN in training, as `tf2gan.evaluation.during_training`; None: none does.
        callbacks: objects as `loop.Trainer` takes them.

    Raises UserError for invalid input, before anything is written; Failure if training fails.
    """
    team = cluster.team()
    with team.explained(), settings_kept():
        return _Job(request, team, measuring, callbacks).run()


def _describe_data(request, splits, total):
    config = request.config
    counts = ", ".join(f"{name} {split.num_examples}" for name, split in splits.items())
    to = f" to {config.target}" if config.adapts else ""
    return (f"data: {config.dataset}{to}: {counts}\nlength: {config.steps_in(total)} steps, "
            f"{total} images of each kind, {total / epoch_images(splits):.2f} epochs{growth(config, total)}")


def _prepared(request, measuring, team=cluster.ALONE):
    """Returns (request with the Config fitted to the data, strategy, splits, total images); writes nothing.

    Checks everything that can be wrong.
    """
    options = request.options
    if team.number > 1 and request.run is None and not options.run_dir:
        raise UserError(f"--run-dir is needed with the {team.number} workers of TF_CONFIG: a folder that all of them "
                        "see")
    check_options(options)
    evaluates = bool(options.evaluate_every) and measuring is not None
    early_stopping.check(options, measuring.check(request.gan_class, request.config, options) if evaluates else None)
    request.config.check()
    if request.run is None:
        path = options.run_dir or request.next_folder()
        for name in request.config.data_fields:
            files.check_outside(path, getattr(request.config, name) or "", "--run-dir")
        run_folder.check_new(path)
    strategy = make_strategy(options, team)  # before the data: devices are fixed once one is used
    if request.config.paired:
        splits = pairs.load_pairs(request.config.dataset, pairs.Recipe.of(request.config), options.data_dir,
                                  options.skip_unreadable)
    elif request.config.adapts:
        splits = domains.load_domains(request.config, options.data_dir, options.skip_unreadable)
    else:
        keeps_some = getattr(request.config, "held_out", 0) is None  # unless there are others to see by
        splits = load.load(request.config.dataset, request.gan_class.splits, options.data_dir, options.skip_unreadable,
                           held_out.TESTS if keeps_some else (), request.config.unlabelled_splits)
    if request.run is not None:
        splits = {name: split.in_order_of(request.run.record.get("class_names")) for name, split in splits.items()}
    first = next(iter(splits.values()))
    config = request.config.fitted(first.image_shape, first.class_names)
    config.check()
    if evaluates:
        measuring.check_data(request.gan_class, config, options, first.class_names)
    if request.gan_class.abilities.classifies and not config.adapts:
        splits = labelled.divided(splits, config)
    elif hasattr(config, "held_out"):
        splits = held_out.divided(splits, config)
    check_data(config, splits, strategy.num_replicas_in_sync)
    return dataclasses.replace(request, config=config), strategy, splits, total_images(config, splits)


class _Job:
    """One session of a training."""

    def __init__(self, request, team, measuring, callbacks):
        self.asked = request.config if request.run is None else None  # before it is fitted to the data
        self.request, self.strategy, self.splits, self.total = _prepared(request, measuring, team)
        self.team, self.measuring, self.callbacks = team, measuring, callbacks
        self.record = self._record()

    def run(self) -> Outcome:
        # Paths are not compared: they may differ between machines.
        self.team.check_same("versions, data or options", json.dumps([
            self.record["versions"], self.record["data"], self.record["fingerprints"], self.record["model"],
            self.request.options.precision, {**self.record["config"], **dict.fromkeys((*self.request.config.data_fields, "init_from"))},
            self.strategy.num_replicas_in_sync, self.total]))
        return self._start() if self.request.run is None else self._resume()

    def _record(self):
        class_names = next(iter(self.splits.values())).class_names
        return {**self.request.record(), "total_images": self.total,
                "data": {name: split.num_examples for name, split in self.splits.items()},
                "class_names": class_names and list(class_names),
                "fingerprints": {name: split.fingerprint for name, split in self.splits.items()},
                "command": self.request.command, "versions": versions()}

    def _build(self, begin=True):
        """`begin`: with the weights of --init-from, if it is given."""
        gan = build_gan(self.request.gan_class, self.request.config, self.total, self.strategy,
                        self.record["class_names"], epoch_images(self.splits), self.request.own)
        if begin and self.request.config.init_from is not None:
            for line in beginning.load(gan, self.request.config.init_from, self.request.own):
                terminal.say(line)
            self.team.check_same("weights of --init-from", beginning.digest(gan))
        return gan

    def _start(self):
        request, gan = self.request, self._build()
        if not self.team.is_chief:
            return self._follow(gan)
        evaluate = self._evaluator(gan, self.record)  # before the folder: an error would leave it behind
        with run_folder.created(request.options.run_dir or request.next_folder, self.record) as folder:
            return self._train(gan, folder, {}, evaluate)

    def _resume(self):
        request, folder, total = self.request, self.request.run, self.total
        with folder.locked() if self.team.is_chief else contextlib.nullcontext():
            if run_folder.Run(folder.path).record != folder.record:
                raise UserError(f"{folder.path}: another process has just changed the run; try again")
            check_same_data(folder.path, folder.record, self.splits)
            check_own_networks(folder.path, folder.record, request.own)
            checkpoint = folder.newest()  # None if the run was killed before its first one
            info = checkpoint.info if checkpoint else {}
            done = info.get("images", 0)
            if done >= total and not checkpoint.is_best:  # if best: it was killed before its last one
                return Outcome(f"{folder.path} has already seen {done} images, its total is {total}: nothing to do",
                               folder=folder.path)
            watch = early_stopping.EarlyStopping(request.options, info.get("watch"))
            if watch.stopped:
                return Outcome(f"{folder.path}: {watch.verdict()}; to go on, give --stop-after none or a larger number",
                               folder=folder.path)
            gan = self._build(begin=checkpoint is None)
            if checkpoint:
                folder.restore(gan, checkpoint)
            self.team.check_same("checkpoint", str(done))
            if not self.team.is_chief:
                return self._follow(gan)
            evaluate = self._evaluator(gan, folder.record)
            folder.remove_leftovers(done)
            # A resume may change these, as it may change the total; the run keeps the new values.
            options = {name: self.record["options"][name] for name in early_stopping.OPTIONS}
            folder.update({"total_images": total, "config": self.record["config"],
                           "options": {**folder.record["options"], **options}})
            return self._train(gan, folder, info, evaluate)

    def _evaluator(self, gan, record):
        """A function from the GAN to its metric values; None without evaluations."""
        if not self.request.options.evaluate_every or self.measuring is None:
            return None
        return self.measuring.make(gan, self.splits, record, self.request.options, True)

    def _train(self, gan, folder, info, evaluate):
        options, team = self.request.options, self.team
        reporter = Reporter(folder, int(gan.images_seen.numpy()), gan.total_images,
                            gan.config.steps_in(gan.total_images), info.get("seconds", 0.0))
        for line in announcement(gan.config, self.asked, self.splits, gan.total_images):
            terminal.say(line)
        terminal.say(f"run folder: {folder.path}{growth(gan.config, gan.total_images)}")
        team.way_back = self.request.way_back(folder.path)
        try:
            number = Trainer(gan, self.strategy, self.splits, folder, options, reporter, info, evaluate, team,
                             self.callbacks).train()
        except Diverged as error:
            kept = folder.newest()
            good = f"the last good checkpoint is {kept.path}" if kept else "there was no checkpoint yet"
            raise Diverged(f"training diverged: {error}; {good}") from error
        except (OSError, UserError, MemoryError, tf.errors.OpError) as error:  # a full disk, a lost image
            if team.number > 1 and isinstance(error, tf.errors.OpError):
                raise  # the team knows whether a worker was lost
            raise Failure(f"training failed at step {gan.config.steps_in(int(gan.images_seen.numpy()))}: "
                          f"{reason(error)}; {self._saved(folder)}") from error
        finally:
            reporter.close()
        images = int(gan.images_seen.numpy())
        if number is not None:
            return Outcome(f"interrupted after {images} of {gan.total_images} images, saved; go on with: "
                           f"{self.request.way_back(folder.path)}{team.where}", number, folder.path)
        watch = early_stopping.EarlyStopping(options, folder.newest().info.get("watch"))
        at_end = self.measuring.at_end(gan, folder.path) if self.measuring is not None else []
        matrix = confusion_matrix((folder.logs() or [{}])[-1])
        return Outcome("\n".join([f"trained on {images} images",
                                  *([watch.verdict()] if watch.stopped and images < gan.total_images else []),
                                  *([matrix] if matrix else []), *at_end,
                                  f"run folder:  {folder.path}", f"samples:     {folder.path / 'samples'}",
                                  *([_best_line(folder.best(), options.keep_best)] if watch.metric else []),
                                  f"TensorBoard: tensorboard --logdir {folder.path}"]), folder=folder.path)

    def _saved(self, folder):
        """What a failed session leaves, and the command that goes on with it."""
        kept = folder.newest()
        if kept is None:
            return "there was no checkpoint yet"
        return f"saved: {kept.path}; go on with: {self.request.way_back(folder.path)}{self.team.where}"

    def _follow(self, gan):
        """Trains as a worker that is not the chief: it runs the same steps, but writes and reports nothing."""
        folder = self.request.run.path if self.request.run else self.request.options.run_dir
        self.team.way_back = self.request.way_back(folder)
        options = dataclasses.replace(self.request.options, sample_every=0, checkpoint_every=0, evaluate_every=0,
                                      keep_best=None, stop_after=None)
        number = Trainer(gan, self.strategy, self.splits, run_folder.Nowhere(), options, Silence(),
                         team=self.team).train()
        return Outcome(f"{self.team.name}: done; the run is in {folder}", number)


def _best_line(checkpoint, metric):
    title = f"best {metric}:"
    if checkpoint is None:
        return f"{title:12} none: it was never finite"
    best = checkpoint.info["best"]
    return (f"{title:12} {progress.number(best['value'])} at step {best['step']}: "
            f"{checkpoint.path.relative_to(checkpoint.path.parents[1])} (--checkpoint best)")
