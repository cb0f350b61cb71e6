"""From a resolved request to a run: data, devices, networks, folder, loop, and what to say at the end."""
import contextlib
import dataclasses
import json
import shlex
import sys
from typing import Optional

from tf2gan import configuration, progress, runs, summary, training
from tf2gan.data import load
from tf2gan.errors import UserError
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
    gan = training.build(request.gan_class, request.config, total, strategy)
    return "\n\n".join([resolved(request), _describe_data(request, splits, total),
                        *(summary.layers(*network) for network in gan.networks.values()),
                        summary.memory(gan, strategy)])


def _describe_data(request, splits, total):
    config = request.config
    counts = ", ".join(f"{name} {split.num_examples}" for name, split in splits.items())
    steps = total // config.images_per_step
    return (f"data: {config.dataset}: {counts}\nlength: {steps} steps, {total} images of each kind, "
            f"{total / training.epoch_images(splits):.2f} epochs")


def _prepare(request):
    """(request with all that the data decide, strategy, splits, total images), before anything is written.

    Everything is checked that can be wrong.
    """
    training.check_options(request.options)
    request.config.check()
    if request.run is None and request.options.run_dir:
        runs.check_new(request.options.run_dir)
    strategy = training.make_strategy(request.options)  # before the data: devices are fixed once one is used
    splits = load.load(request.config.dataset, request.gan_class.splits, request.options.data_dir,
                       request.options.skip_unreadable)
    first = next(iter(splits.values()))
    config = request.config.fitted(first.image_shape, first.class_names)
    config.check()
    training.check_data(config, splits, strategy.num_replicas_in_sync)
    return dataclasses.replace(request, config=config), strategy, splits, training.total_images(config, splits)


def run(request) -> Outcome:
    """Starts or resumes a run and trains to its end, or to a signal."""
    request, strategy, splits, total = _prepare(request)
    class_names = next(iter(splits.values())).class_names
    record = {**_record(request), "total_images": total,
              "data": {name: split.num_examples for name, split in splits.items()},
              "class_names": class_names and list(class_names),
              "fingerprints": {name: split.fingerprint for name, split in splits.items()},
              "command": shlex.join(["tools/train.py", *sys.argv[1:]]), "versions": runs.versions()}
    if request.run is None:
        gan = training.build(request.gan_class, request.config, total, strategy, record["class_names"])
        name = request.preset if request.preset in NAMES else request.model
        path = request.options.run_dir or runs.next_run_dir(name, request.config.dataset)
        folder = runs.create(path, record)
        with folder.locked():
            return _train(gan, strategy, splits, folder, request, {})
    folder = request.run
    with folder.locked():
        check_same_data(folder.path, folder.record, splits)
        checkpoints = folder.checkpoints()
        checkpoint = checkpoints[-1] if checkpoints else None  # none if the run was killed before its first
        done = checkpoint.info["images"] if checkpoint else 0
        if done >= total:
            return Outcome(f"{folder.path} has already seen {done} images, its total is {total}: nothing to do")
        gan = training.build(request.gan_class, request.config, total, strategy, record["class_names"])
        info = {}
        if checkpoint:
            folder.restore(gan, checkpoint)
            info = checkpoint.info
        folder.remove_leftovers(info.get("images", 0))
        folder.update({"total_images": total, "config": record["config"]})
        return _train(gan, strategy, splits, folder, request, info)


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


def _train(gan, strategy, splits, folder, request, info):
    start = int(gan.images_seen.numpy())
    reporter = progress.Reporter(folder, start, gan.total_images, gan.config.images_per_step, info.get("seconds", 0.0))
    print(f"run folder: {folder.path}", file=sys.stderr)
    try:
        number = training.train(gan, strategy, splits, folder, request.options, reporter, info.get("window", ()))
    except training.Diverged as error:
        kept = [str(checkpoint.path) for checkpoint in folder.checkpoints()]
        good = f"the last good checkpoint is {kept[-1]}" if kept else "there was no checkpoint yet"
        raise training.Diverged(f"training diverged: {error}; {good}") from error
    finally:
        reporter.close()
    images = int(gan.images_seen.numpy())
    resume = f"tools/train.py --resume {shlex.quote(str(folder.path))}"
    if number is not None:
        return Outcome(f"interrupted after {images} of {gan.total_images} images, saved; go on with: {resume}", number)
    matrix = progress.confusion_matrix((folder.metrics() or [{}])[-1])
    return Outcome("\n".join([f"trained on {images} images", *([matrix] if matrix else []),
                              f"run folder:  {folder.path}", f"samples:     {folder.path / 'samples'}",
                              f"TensorBoard: tensorboard --logdir {folder.path}"]))


def load_gan(path):
    """(GAN restored from the newest checkpoint of the run at `path`, its record), to generate with.

    Raises UserError if it is no run, has no checkpoint yet, or one that cannot be read.
    """
    run = runs.Run(path)
    checkpoints = run.checkpoints()
    if not checkpoints:
        raise UserError(f"{path}: the run has no checkpoint yet")
    gan_class, config = configuration.from_record(run.record)
    gan = gan_class(config, run.record.get("total_images"))
    gan.class_names = run.record.get("class_names")
    run.restore(gan, checkpoints[-1])
    record = {**run.record, "checkpoint": checkpoints[-1].info}
    with contextlib.suppress(FileNotFoundError, ValueError):
        evaluation = json.loads(run.evaluation_file.read_text(encoding="utf-8"))
        if evaluation["protocol"]["images_seen"] == checkpoints[-1].info["images"]:  # not figures of other weights
            record["evaluation"] = evaluation
    return gan, record
