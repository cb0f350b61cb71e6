"""The one training loop: every method, on one device or many, started anew or resumed, runs through `train`."""
import dataclasses
import functools
import math
import signal
import time
from typing import Literal, Optional

import numpy as np
import tensorflow as tf

from tf2gan import _quiet, images, runs, watching, workers
from tf2gan.data import pipeline
from tf2gan.errors import Failure, UserError

SECONDS_PER_CALL = 0.5  # steps run in one call before the host looks at logs, signals and the clock again


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the run and the machine"""

    data_dir: Optional[str] = None  # where tensorflow-datasets keeps its data; none: TFDS_DATA_DIR or its own default
    skip_unreadable: bool = False  # go on without the images of a folder that cannot be read
    run_dir: Optional[str] = None  # folder of the run; none: runs/MODEL-DATASET-NNN with the next free number
    replicas: Optional[int] = None  # devices to train on, of each machine; none: all GPUs, or the CPU
    precision: Literal["float32", "bfloat16"] = "float32"  # of the networks' arithmetic; weights and losses are float32
    deterministic: bool = False  # bit-for-bit repeatable on the same machine, somewhat slower
    sample_every: int = 500  # steps between sample grids; 0 is never
    checkpoint_every: int = 1000  # steps between checkpoints; the end and an interruption save too; 0 is only then
    log_every: int = 50  # steps between log lines
    num_samples: int = 4  # images of each kind (domain, class) in a sample grid
    evaluate_every: int = 0  # steps between evaluations, of which one is at the end too; 0 is never
    evaluate_metrics: str = "fid"  # what is measured then, with commas between
    evaluate_num: int = 1000  # generated images that each figure is measured on
    extractor: str = "classifier"  # of the features: classifier, inception[:PATH], savedmodel:PATH[:SIGNATURE]
    keep_best: Optional[str] = None  # keep the checkpoint with the best value of this figure beside the last ones
    stop_after: Optional[int] = None  # end after so many evaluations in which keep_best's figure has not improved


class Diverged(Failure):
    """A logged quantity is no longer finite."""


def check_options(options: Options):
    """Raises UserError for values that no run can take."""
    for name, least in (("sample_every", 0), ("checkpoint_every", 0), ("log_every", 1), ("num_samples", 1),
                        ("evaluate_every", 0), ("evaluate_num", 1), ("replicas", 1), ("stop_after", 1)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: must be at least {least}")


def make_strategy(options: Options, team=workers.ALONE):
    """MirroredStrategy over the GPUs, or over the CPU, of all machines. Before TensorFlow has used any device."""
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    # Grappler's remapper fails on a leaky ReLU that a gradient reads, says so at every start, and gains nothing here.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    policy = "mixed_bfloat16" if options.precision == "bfloat16" else "float32"
    tf.keras.mixed_precision.set_global_policy(policy)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        if options.replicas and options.replicas > len(gpus):
            raise UserError(f"--replicas {options.replicas}: this machine has {len(gpus)} GPU(s)")
        if team.number > 1:
            tf.config.set_visible_devices(gpus[:options.replicas], "GPU")
            return team.connect()
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(options.replicas or len(gpus))])
    replicas = options.replicas or 1
    if team.number > 1:
        if replicas > 1:
            raise UserError(f"--replicas {replicas}: not with the {team.number} workers of TF_CONFIG, each of which is "
                            "one replica where it has no GPU")
        return team.connect()
    if replicas > 1:  # gains no speed; it is how a run of several GPUs is followed step by step on a machine without
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)],
                                          cross_device_ops=tf.distribute.ReductionToOneDevice())


def total_images(config, splits) -> int:
    """Planned length in images of each kind, whole steps; `splits` are the training splits."""
    if config.steps:
        return config.images_in(config.steps)
    return config.images_in(config.steps_in(config.images or config.epochs * epoch_images(splits)))


def epoch_images(splits) -> int:
    """Images in one pass over the larger of the training splits."""
    return runs.epoch_images({name: split.num_examples for name, split in splits.items()})


def check_data(config, splits, replicas):
    """Raises UserError where a batch cannot be filled or shared."""
    smallest = min((s for name, s in splits.items() if name.startswith("train")), key=lambda s: s.num_examples)
    for at in map(config.at, config.changes()):
        size = f"--batch-size {at.batch_size}" if at == config else f"a batch size of {at.batch_size} (--batch-sizes)"
        if at.real_batch_size > smallest.num_examples:
            raise UserError(f"{size}: larger than {smallest.name}, which has {smallest.num_examples} images")
        if at.batch_size % replicas or at.real_batch_size % replicas:
            raise UserError(f"{size}: cannot be shared equally by {replicas} replicas")


def build(gan_class, config, total, strategy, class_names=None, num_epoch=None):
    """The GAN with its initial weights, a pure function of the configuration, on the devices of `strategy`."""
    tf.keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        gan = gan_class(config, total)
    gan.class_names, gan.epoch_images = class_names, num_epoch
    return gan


def compile_steps(gan, strategy, phase):
    """A function (iterator, int tensor n) that runs n steps and returns {name: mean of what they logged}, on the host.

    It stops at the first step whose log is not finite and returns that step's values. Rebuilt once a phase. Many steps
    in one call save the host's overhead; n is a tensor, since a Python int would retrace for every value.
    """
    names = []
    num_images = gan.config.at(int(gan.images_seen.numpy())).images_per_step

    @tf.autograph.experimental.do_not_convert  # the update has no loops over tensors; a fifth of the start is saved
    def step(iterator):
        batches = [next(iterator) for _ in range(gan.batches_per_step)]
        logs = strategy.run(functools.partial(gan.train_step, **phase), args=batches)
        gan.end_step(num_images)
        names[:] = logs
        return tf.stack([tf.cast(strategy.reduce("MEAN", value, axis=None), tf.float64) for value in logs.values()])

    @tf.function
    def steps(iterator, num_steps):
        # Broadcasts to the vector of logs, whose length is known only when the one loop body has been traced.
        total = tf.zeros([], tf.float64)
        done = tf.constant(0)
        finite = tf.constant(True)
        while done < num_steps and finite:
            tf.autograph.experimental.set_loop_options(shape_invariants=[(total, tf.TensorShape(None))])
            logs = step(iterator)
            finite = tf.reduce_all(tf.math.is_finite(logs))
            total = tf.where(finite, total + logs, logs)
            done += 1
        return total / tf.where(finite, tf.cast(done, tf.float64), 1.0)

    def call(iterator, num_steps):
        return dict(zip(names, steps(iterator, num_steps).numpy().tolist()))

    return call


class Interruption:
    """Ctrl-C and SIGTERM let the current call finish; a second one ends at once."""

    def __enter__(self):
        self.signal = None
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _receive(self, number, frame):
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def __exit__(self, *args):
        for number, handler in self._before.items():
            signal.signal(number, handler)


def train(gan, strategy, splits, run, options, reporter, info=None, evaluate=None, team=workers.ALONE):
    """Trains `gan` from its clock to its `total_images`; returns the number of a signal that ended it early, or None.

    With `options.stop_after` it may end before; the `watching.Watch` of the newest checkpoint tells.

    Args:
        gan: built by `build`, restored where the run is resumed.
        splits: {name: Split} of the data.
        run: a `runs.Run`; `options`: this session's Options.
        reporter: what the user sees, a `progress.Reporter`.
        info: of the checkpoint that is gone on from: `window`, [(number of steps, {name: mean})] since the last log
            line, and `watch`, the state of its Watch.
        evaluate: a function of the GAN that returns [metrics.figures.Figure] and changes nothing of it, for
            `options.evaluate_every`; None is never.
        team: the workers that train together. What only one of them is to do, the others' `run`, `reporter` and
            `options` leave out.

    Raises Diverged, with the first quantity that is not finite in its message; no checkpoint is written then.
    """
    config = gan.config
    start = int(gan.images_seen.numpy())
    fixed = gan.sample_inputs(options.num_samples)
    if fixed is None:
        fixed = pipeline.unpaired_examples(splits, config, options.num_samples)
    step, last = config.steps_in(start), config.steps_in(gan.total_images)
    epoch = epoch_images(splits)
    steps = draw = iterator = phase = batch_size = None
    num_steps, info = 1, info or {}
    window, history, diagnosed = list(info.get("window", ())), run.logs(), set()
    watch = watching.Watch(options, info.get("watch"))

    def seen():
        return int(gan.images_seen.numpy())

    def enter_phase():
        """Makes anew what depends on the phase: graphs, and, where the batch size changes, the stream of examples."""
        nonlocal steps, draw, iterator, phase, batch_size, num_steps
        gan.begin_phase()
        phase, num_steps = gan.phase(), 1
        steps, draw = compile_steps(gan, strategy, phase), tf.function(gan.sample, autograph=False)
        if config.at(seen()).real_batch_size != batch_size:
            batch_size = config.at(seen()).real_batch_size
            iterator = None  # with the images that it may hold, before these are read anew
            dataset = pipeline.batches(splits, config.at(seen()), seen(), team.share)
            with _quiet.without_chatter():
                iterator = iter(team.distributed(strategy, dataset, batch_size))

    def check_finite():
        for variable in (*gan.weights(), *(v for optimizer, _ in gan.optimizers for v in optimizer.variables)):
            if not np.isfinite(variable.numpy()).all():
                raise Diverged(f"{variable.name} is no longer finite at step {step}, image {seen()}")

    def save(best=None):
        check_finite()
        state = {"step": step, "seconds": reporter.seconds(), "window": window, "replicas": gan.num_local_replicas}
        if evaluate is not None:
            state["watch"] = watch.state()
        return run.save(gan, state, best)

    def log():
        means = _means(window)
        reporter.log(step, seen(), seen() / epoch, means)
        history.append({"images": seen(), **means})
        found = gan.diagnose(history)
        for name in found.keys() - diagnosed:
            reporter.warn(f"{name} at step {step}: {found[name]}")
        diagnosed.update(found)
        window.clear()

    def sample():
        reporter.samples(seen(), picture(gan, draw(fixed)))

    def look():
        check_finite()  # or broken weights would be told as whatever their figures fail with
        began = time.perf_counter()
        figures = evaluate(gan)
        improved = watch.update(step, figures, config.grown(seen()))
        reporter.evaluated(step, seen(), seen() / epoch, figures, watch.best, time.perf_counter() - began)
        if improved:
            save(watch.best)

    enter_phase()
    with Interruption() as interruption, team.together():
        if options.sample_every and start == 0:
            sample()
        if start and options.checkpoint_every and step % options.checkpoint_every == 0:
            save()  # missing if what is gone on from is the best one, and a kill came between the two
        while True:
            if step < last and gan.phase() != phase:
                enter_phase()
            boundary = min([last] + [(step // every + 1) * every for every in
                                     (options.log_every, options.sample_every, options.checkpoint_every,
                                     evaluate and options.evaluate_every) if every]
                           + [config.steps_in(end) for end in [gan.phase_end()] if end is not None])
            wanted = min(num_steps, boundary - step) if step < last and not watch.stopped else 0
            count = team.agree(step, wanted, interruption.signal)
            if not count:
                break
            began = time.perf_counter()
            logs = steps(iterator, tf.constant(count))
            elapsed = time.perf_counter() - began
            step = config.steps_in(seen())
            broken = [name for name, value in logs.items() if not math.isfinite(value)]
            if broken:
                raise Diverged(f"{broken[0]} became {logs[broken[0]]} at step {step}, image {seen()}")
            window.append((count, logs))
            reporter.advance(step, seen(), logs)
            if step % options.log_every == 0 or step == last or gan.phase() != phase:
                log()  # no means over two phases, whose networks may differ
            if options.sample_every and (step % options.sample_every == 0 or step == last):
                sample()
            if evaluate is not None and (step % options.evaluate_every == 0 or step == last):
                look()  # before the ordinary checkpoint, which so knows of it
                if watch.stopped and step != last:  # an end like any other
                    if window:
                        log()
                    if options.sample_every and step % options.sample_every:
                        sample()
            if options.checkpoint_every and step % options.checkpoint_every == 0 and step != last:
                save()
            # At most four times as many as before: the first call was slow because it traced.
            num_steps = max(1, min(4 * count, int(SECONDS_PER_CALL * count / elapsed)))
        save()
        return team.finish(interruption.signal)


def _means(window):
    """{name: mean over the steps of `window` that logged it}."""
    names = dict.fromkeys(name for _, values in window for name in values)
    logged = {name: [(values[name], count) for count, values in window if name in values] for name in names}
    # Rounded: how steps fell into calls depends on the machine's speed, and so does the sum's last bit.
    return {name: float(np.float32(np.average([value for value, _ in pairs], weights=[count for _, count in pairs])))
            for name, pairs in logged.items()}


def picture(gan, samples):
    """uint8 [height, width, 3]: what `gan.sample` returned, one grid under the other, with titles."""
    titles = gan.sample_titles()
    return images.stack([images.grid(images.enlarged(images.to_uint8(rows)), **titles.get(name, {}))
                         for name, rows in samples.items()], gap=8)
