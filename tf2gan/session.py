"""From a resolved request to a run: data, devices, networks, folder, loop, and what to say at the end."""
import contextlib
import dataclasses
import json
import shlex
import sys
from typing import Optional

import tensorflow as tf

from tf2gan import configuration, progress, runs, summary, training, watching, workers
from tf2gan.data import labelled, load
from tf2gan.errors import UserError, unknown
from tf2gan.gans import GANS, NAMES


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a session ended: what to tell the user, and the number of the signal that ended it early, if one did."""

    message: str
    signal: Optional[int] = None


def listing() -> str:
    """Methods with their presets, and built-in data sets, for people."""
    lines = ["models (--model) and their presets (--preset; one that begins with its model's name is a --model too):"]
    for name, gan_class in GANS.items():
        what = sys.modules[gan_class.__module__].__doc__.splitlines()[0]
        lines += [f"  {name:12} {what}", f"  {'':12} presets: {', '.join(gan_class.presets)}"]
    lines += ["built-in data sets (no download):", *(f"  {name}" for name in load.BUILT_IN),
              "any data set of tensorflow-datasets, and any folder of images, with a sub folder for each class or",
              "without; for cyclegan a folder with trainA trainB testA testB"]
    return "\n".join(lines)


def resolved(request) -> str:
    """The whole configuration as JSON, as --config takes it."""
    return json.dumps(_record(request), indent=2)


def _record(request):
    return {"model": request.model, "preset": request.preset, "config": dataclasses.asdict(request.config),
            "options": dataclasses.asdict(request.options)}


def dry_run(request) -> str:
    """What the run would be: configuration, data, networks with their layers and parameters, memory, images, steps."""
    request, strategy, splits, total = _prepare(request)
    gan = training.build(request.gan_class, request.config, total, strategy, num_epoch=training.epoch_images(splits))
    return "\n\n".join([resolved(request), _describe_data(request, splits, total),
                        *(summary.layers(*network) for network in gan.networks.values()),
                        summary.memory(gan, strategy)])


def _describe_data(request, splits, total):
    config = request.config
    counts = ", ".join(f"{name} {split.num_examples}" for name, split in splits.items())
    steps = config.steps_in(total)
    return (f"data: {config.dataset}: {counts}\nlength: {steps} steps, {total} images of each kind, "
            f"{total / training.epoch_images(splits):.2f} epochs{_growth(config, total)}")


def _growth(config, total):
    """A line with a line break before it; empty for networks that do not grow."""
    plan = config.plan(total)
    return f"\ngrowth, in images: {plan}" if plan else ""


def _prepare(request, team=workers.ALONE):
    """(request with all that the data decide, strategy, splits, total images), before anything is written.

    Everything is checked that can be wrong.
    """
    if team.number > 1 and request.run is None and not request.options.run_dir:
        raise UserError(f"--run-dir is needed with the {team.number} workers of TF_CONFIG: a folder that all of them "
                        "see")
    training.check_options(request.options)
    watching.check(request.options, _figures(request))
    request.config.check()
    if request.run is None and request.options.run_dir:
        runs.check_new(request.options.run_dir)
    strategy = training.make_strategy(request.options, team)  # before the data: devices are fixed once one is used
    splits = load.load(request.config.dataset, request.gan_class.splits, request.options.data_dir,
                       request.options.skip_unreadable,
                       unlabelled=[name for name in [getattr(request.config, "more_unlabelled", None)] if name])
    first = next(iter(splits.values()))
    config = request.config.fitted(first.image_shape, first.class_names)
    config.check()
    if hasattr(request.gan_class, "classify"):
        splits = labelled.divided(splits, config)
    training.check_data(config, splits, strategy.num_replicas_in_sync)
    return dataclasses.replace(request, config=config), strategy, splits, training.total_images(config, splits)


def _figures(request):
    """Short names of what evaluations in training will give; None where there will be none."""
    if not request.options.evaluate_every:
        return None
    from tf2gan import evaluation  # which imports this module

    return evaluation.check_watch(request.gan_class, request.options)


def run(request) -> Outcome:
    """Starts or resumes a run and trains to its end, or to a signal; with the workers of TF_CONFIG, if any."""
    team = workers.team()
    with team.explained():
        return _run(request, team)


def _run(request, team):
    request, strategy, splits, total = _prepare(request, team)
    class_names = next(iter(splits.values())).class_names
    record = {**_record(request), "total_images": total,
              "data": {name: split.num_examples for name, split in splits.items()},
              "class_names": class_names and list(class_names),
              "fingerprints": {name: split.fingerprint for name, split in splits.items()},
              "command": shlex.join(["tools/train.py", *sys.argv[1:]]), "versions": runs.versions()}
    # Not the paths, which each machine may have of its own.
    team.check_same("versions, data or options", json.dumps([
        record["versions"], record["data"], record["fingerprints"], record["model"], request.options.precision,
        {**record["config"], "dataset": None}, strategy.num_replicas_in_sync, total]))
    if request.run is None:
        gan = training.build(request.gan_class, request.config, total, strategy, record["class_names"],
                             training.epoch_images(splits))
        if not team.is_chief:
            return _follow(gan, strategy, splits, request, team)
        name = request.preset if request.preset in NAMES else request.model
        evaluate = _evaluator(gan, splits, record, request.options)  # before the folder, which an error would leave
        path = request.options.run_dir or runs.next_run_dir(name, request.config.dataset)
        folder = runs.create(path, record)
        with folder.locked():
            return _train(gan, strategy, splits, folder, request, {}, evaluate, team)
    folder = request.run
    with folder.locked() if team.is_chief else contextlib.nullcontext():
        check_same_data(folder.path, folder.record, splits)
        checkpoint = folder.newest()  # none if the run was killed before its first
        info = checkpoint.info if checkpoint else {}
        done = info.get("images", 0)
        if done >= total and not checkpoint.is_best:  # else it was killed before its last checkpoint
            return Outcome(f"{folder.path} has already seen {done} images, its total is {total}: nothing to do")
        watch = watching.Watch(request.options, info.get("watch"))
        if watch.stopped:
            return Outcome(f"{folder.path}: {watch.verdict()}; to go on, give --stop-after none or a larger number")
        gan = training.build(request.gan_class, request.config, total, strategy, record["class_names"],
                             training.epoch_images(splits))
        if checkpoint:
            folder.restore(gan, checkpoint)
        team.check_same("checkpoint", str(done))
        if not team.is_chief:
            return _follow(gan, strategy, splits, request, team)
        evaluate = _evaluator(gan, splits, folder.record, request.options)
        folder.remove_leftovers(done)
        options = {name: record["options"][name] for name in watching.OPTIONS}  # which, like totals, are to stay so
        folder.update({"total_images": total, "config": record["config"],
                       "options": {**folder.record["options"], **options}})
        return _train(gan, strategy, splits, folder, request, info, evaluate, team)


def _evaluator(gan, splits, record, options):
    """What `training.train` takes as `evaluate`: a function of the GAN that returns figures; None if there are none."""
    if not options.evaluate_every:
        return None
    from tf2gan import evaluation

    return evaluation.make_watcher(gan, splits, record, options, sys.stderr.isatty())


def check_same_data(where, trained, splits):
    """Raises UserError if `splits`, as far as a run used them, are not what they were; `trained`: its config.json."""
    used = [name for name in splits if name in trained["data"]]
    then, now = ({name: trained["data"][name] for name in used}, {name: splits[name].num_examples for name in used})
    if then != now:
        raise UserError(f"{where}: the data have changed: the run began with {then}, now there is {now}")
    fingerprints = trained.get("fingerprints", {})
    changed = [name for name in used if fingerprints.get(name, splits[name].fingerprint) != splits[name].fingerprint]
    if changed:
        raise UserError(f"{where}: the data have changed: other files or sizes in {', '.join(changed)} than when the "
                        "run began")


def _train(gan, strategy, splits, folder, request, info, evaluate, team):
    start = int(gan.images_seen.numpy())
    reporter = progress.Reporter(folder, start, gan.total_images,
                                 gan.config.steps_in(gan.total_images), info.get("seconds", 0.0))
    print(f"run folder: {folder.path}{_growth(gan.config, gan.total_images)}", file=sys.stderr)
    team.way_back = _resume(folder.path)
    try:
        number = training.train(gan, strategy, splits, folder, request.options, reporter, info, evaluate, team)
    except training.Diverged as error:
        kept = folder.newest()
        good = f"the last good checkpoint is {kept.path}" if kept else "there was no checkpoint yet"
        raise training.Diverged(f"training diverged: {error}; {good}") from error
    finally:
        reporter.close()
    images = int(gan.images_seen.numpy())
    if number is not None:
        return Outcome(f"interrupted after {images} of {gan.total_images} images, saved; go on with: "
                       f"{_resume(folder.path)}{team.where}", number)
    watch = watching.Watch(request.options, folder.newest().info.get("watch"))
    accuracies = []
    if hasattr(gan, "classify"):
        from tf2gan import evaluation  # which imports this module

        accuracies = evaluation.of_finished_run(folder.path)
    matrix = progress.confusion_matrix((folder.logs() or [{}])[-1])
    return Outcome("\n".join([f"trained on {images} images",
                              *([watch.verdict()] if watch.stopped and images < gan.total_images else []),
                              *([matrix] if matrix else []), *accuracies,
                              f"run folder:  {folder.path}", f"samples:     {folder.path / 'samples'}",
                              *([_best_line(folder.best(), request.options.keep_best)] if watch.metric else []),
                              f"TensorBoard: tensorboard --logdir {folder.path}"]))


def _resume(folder):
    return f"tools/train.py --resume {shlex.quote(str(folder))}"


def _follow(gan, strategy, splits, request, team):
    """The part of a worker that is not the chief: the same steps, of which it writes and tells nothing."""
    folder = request.run.path if request.run else request.options.run_dir
    team.way_back = _resume(folder)
    options = dataclasses.replace(request.options, sample_every=0, checkpoint_every=0, evaluate_every=0,
                                  keep_best=None, stop_after=None)
    number = training.train(gan, strategy, splits, runs.Nowhere(), options, progress.Silence(), team=team)
    return Outcome(f"{team.name}: done; the run is in {folder}", number)


def _best_line(checkpoint, metric):
    title = f"best {metric}:"
    if checkpoint is None:
        return f"{title:12} none: it was never finite"
    best = checkpoint.info["best"]
    return (f"{title:12} {progress.number(best['value'])} at step {best['step']}: "
            f"{checkpoint.path.relative_to(checkpoint.path.parents[1])} (--checkpoint best)")


def load_gan(path, checkpoint="latest", weights="averaged"):
    """(GAN restored from a checkpoint of the run at `path`, its record), to generate with.

    Args:
        checkpoint: "latest", "best" (kept by --keep-best), or the number of images of one that is there, a str.
        weights: "averaged", which a method without averages has not, or "raw": as trained. With "raw" the averages
            themselves are made equal to what they average, so that all that generates uses these.

    It computes in float32, whatever the precision of training was: its weights are float32, and so are exports.

    The record is the run's config.json, with the checkpoint's info.json as `checkpoint`, with `weights`, "raw" also
    where there are no averages, and with the last `evaluation` if it was of these weights. Raises UserError if `path`
    is no run, if the checkpoint is not there, or if it cannot be read.
    """
    if weights not in ("averaged", "raw"):
        raise unknown("weights", weights, ("averaged", "raw"))
    run = runs.Run(path)
    chosen = _chosen_checkpoint(run, checkpoint)
    gan_class, config = configuration.from_record(run.record)
    with _float32():
        gan = gan_class(config, run.record.get("total_images"))
    gan.class_names = run.record.get("class_names")
    run.restore(gan, chosen)
    if weights == "raw":
        for average, trained in zip(gan.averaged_variables, gan.averaged_from):
            average.assign(trained)
    record = {**run.record, "checkpoint": chosen.info, "weights": weights if gan.averages else "raw"}
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):  # of an older version, perhaps
        evaluation = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
        of_weights = evaluation["protocol"]["images_seen"], evaluation["protocol"]["weights"]
        if "table" in evaluation and of_weights == (chosen.info["images"], record["weights"]):
            record["evaluation"] = evaluation
    return gan, record


@contextlib.contextmanager
def _float32():
    """The policy of layers made within, also in a process that trains in another one."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)


def _chosen_checkpoint(run, name):
    there = run.all_checkpoints()
    if not there:
        raise UserError(f"{run.path}: the run has no checkpoint yet")
    if name == "latest":
        return there[-1]
    if name == "best":
        if run.best() is None:
            raise UserError(f"--checkpoint best: the run {run.path} kept none; training does with --evaluate-every and "
                            "--keep-best")
        return run.best()
    for checkpoint in there:
        if name.isdecimal() and int(name) == checkpoint.info["images"]:
            return checkpoint
    possible = ["latest", *["best"] * (run.best() is not None),
                *dict.fromkeys(str(checkpoint.info["images"]) for checkpoint in there)]
    raise UserError(f"--checkpoint {name}: the run {run.path} has no such checkpoint; possible: {', '.join(possible)}")
