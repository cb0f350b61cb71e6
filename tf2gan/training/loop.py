"""The training loop of every method, on one device or many, for new and resumed runs."""
import functools
import math
import random
import re
import signal
import threading
import time

import numpy as np
import tensorflow as tf

from tf2gan.core import images, quiet
from tf2gan.core.errors import Failure, UserError
from tf2gan.data import pipeline
from tf2gan.gans import diagnosis, loss_scale
from tf2gan.training import cluster, early_stopping
from tf2gan.training.plan import epoch_images

SECONDS_PER_CALL = 0.5  # of steps in one call, after which the host checks logs, signals and the clock


class Diverged(Failure):
    """A logged quantity or a weight is no longer finite."""


def build_gan(gan_class, config, total, strategy, class_names=None, num_epoch=None, own=None):
    """Builds the GAN with its initial weights, a pure function of the configuration, on the devices of `strategy`.

    `own`: as `gans.base.GAN` takes it. Restores the random states of Python and numpy, which Keras seeds too.
    """
    dice = random.getstate(), np.random.get_state()
    tf.keras.utils.set_random_seed(config.seed)
    try:
        with strategy.scope():
            gan = gan_class(config, total, **({"own": own} if own else {}))
    finally:
        random.setstate(dice[0])
        np.random.set_state(dice[1])
    gan.class_names, gan.epoch_images = class_names, num_epoch
    return gan


def compile_steps(gan, strategy, phase, jit=False):
    """Returns a function (iterator, int tensor n) that runs n steps and returns {name: mean of their logs} on the host.

    It stops at the first step whose logs are not finite and returns that step's values. It is rebuilt in each phase.
    Many steps in one call save host overhead; n is a tensor, since a Python int would retrace for every value.
    `jit`: XLA compiles the update. The function raises UserError if it cannot.
    """
    names = []
    num_images = gan.config.at(int(gan.images_seen.numpy())).images_per_step

    def step(iterator):
        batches = [next(iterator) for _ in range(gan.batches_per_step * gan.config.accumulate)]

        def run(**kind):
            def update(*batches):
                logs = strategy.run(functools.partial(gan.whole_step, **phase, **kind), args=batches)
                names[:] = logs
                return tf.stack([tf.cast(strategy.reduce("MEAN", value, axis=None), tf.float64)
                                 for value in logs.values()])

            return (tf.function(update, jit_compile=True, autograph=False) if jit else update)(*batches)

        penalized = gan.is_penalized(num_images)
        if penalized is None:
            values = run()
        else:  # outside of replicas, which could not talk to each other within a condition
            values = tf.cond(penalized, lambda: run(penalized=True), lambda: run(penalized=False))
        gan.end_step(num_images)
        return values

    @tf.function(autograph=False)  # AutoGraph would read and rewrite the whole step first
    def steps(iterator, num_steps):
        def goes_on(done, finite, total):
            return tf.logical_and(done < num_steps, finite)

        def one(done, finite, total):
            logs = step(iterator)
            finite = tf.reduce_all(tf.math.is_finite(logs))
            return done + 1, finite, tf.where(finite, total + logs, logs)

        # The total broadcasts to the vector of logs, whose length is known only after the loop body has been traced.
        start = tf.constant(0), tf.constant(True), tf.zeros([], tf.float64)
        done, finite, total = tf.while_loop(goes_on, one, start, (tf.TensorShape([]), tf.TensorShape([]),
                                                                  tf.TensorShape(None)))
        return total / tf.where(finite, tf.cast(done, tf.float64), 1.0)

    def call(iterator, num_steps):
        try:
            values = steps(iterator, num_steps).numpy()
        except tf.errors.OpError as error:
            lacking = re.search(r"unsupported operations.*?: *(.*)|(Trying to access resource.*)", str(error))
            if not jit or lacking is None:
                raise
            what = (lacking.group(1) or lacking.group(2))[:200]
            raise UserError(f"--jit: XLA cannot compile this step: {what}; --nojit goes on without it") from error
        return dict(zip(names, values.tolist()))

    return call


class Interruption:
    """Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) let the current call finish; a second one ends at once.

    Python delivers signals only to the main thread: training in another thread leaves the handlers as they are.
    """

    def __enter__(self):
        self.signal, self._before = None, {}
        if threading.current_thread() is threading.main_thread():
            # Under nohup SIGHUP is ignored, and stays so.
            numbers = [signal.SIGINT, signal.SIGTERM,
                       *([signal.SIGHUP] if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN else [])]
            self._before = {number: signal.signal(number, self._receive) for number in numbers}
        return self

    def _receive(self, number, frame):
        # A terminal that is closed sends SIGHUP with others, before or after them: only a person is impatient.
        if number != signal.SIGHUP and self.signal not in (None, signal.SIGHUP):
            raise KeyboardInterrupt
        self.signal = number

    def __exit__(self, *args):
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Trainer:
    """Trains a GAN from its `images_seen` to its `total_images`.

    `train` is the loop; each method below it is one part of the loop.
    """

    def __init__(self, gan, strategy, splits, run, options, reporter, info=None, evaluate=None, team=cluster.ALONE,
                 callbacks=()):
        """Prepares training, but does not start it.

        Args:
            gan: built by `build_gan`, and restored if the run is resumed.
            splits: {name: Split} of the data.
            run: a `run_folder.Run`; `options`: this session's Options.
            reporter: a `reporter.Reporter`, which shows progress to the user.
            info: the info of the checkpoint that is resumed: `window`, [(number of steps, {name: mean})] since the last
                log line, and `watch`, the state of its EarlyStopping.
            evaluate: a function that returns the [metrics.values.Figure] of the GAN and does not change it, called
                every `options.evaluate_every` steps; None: never.
            team: the workers that train together. What only the chief does is switched off in the `run`, `reporter`
                and `options` of the others.
            callbacks: objects with any of `on_log(step, logs)`, `on_samples(path)`, `on_checkpoint(path)`.
        """
        info = info or {}
        self.gan, self.config, self.strategy, self.splits = gan, gan.config, strategy, splits
        self.run, self.options, self.reporter, self.team = run, options, reporter, team
        self.evaluate, self.callbacks = evaluate, callbacks
        self.step, self.last = self.config.steps_in(self.images_seen), self.config.steps_in(gan.total_images)
        self.epoch = epoch_images(splits)
        self.window = list(info.get("window", ()))  # [(number of steps, their mean logs)] since the last log line
        self.history, self.diagnosed = run.logs(), set()
        self.early_stopping = early_stopping.EarlyStopping(options, info.get("watch"))
        self.sample_inputs = gan.sample_inputs(options.num_samples)
        if self.sample_inputs is None:
            self.sample_inputs = pipeline.unpaired_examples(splits, self.config, options.num_samples)
        self.phase = self.batch_size = self._iterator = self._steps = self._draw = None
        self._num_steps = 1  # in the next call

    @property
    def images_seen(self) -> int:
        return int(self.gan.images_seen.numpy())

    def train(self):
        """Trains to the end; returns the number of the signal that ended it early, or None.

        `options.stop_after` may end it early, too; the newest checkpoint then has this in its EarlyStopping state.
        Raises Diverged, which names the first quantity that is not finite; no checkpoint is written then.
        """
        options = self.options
        self.enter_phase()
        with Interruption() as interruption, self.team.together():
            if options.sample_every and self.step == 0:
                self.sample()
            if self.step and self._is_due(options.checkpoint_every):
                self.save()  # missing if a kill came between the best checkpoint, which is resumed, and this one
            while True:
                if self.step < self.last and self.gan.phase() != self.phase:
                    self.enter_phase()
                count = self.team.agree(self.step, self.next_count(), interruption.signal)
                if not count:
                    break
                self.run_steps(count)
                at_end = self.step == self.last
                if self._is_due(options.log_every) or at_end or self.gan.phase() != self.phase:
                    self.log()  # no mean spans two phases, whose networks may differ
                if options.sample_every and (self._is_due(options.sample_every) or at_end):
                    self.sample()
                if self.evaluate is not None and (self._is_due(options.evaluate_every) or at_end):
                    self.look()  # before the regular checkpoint, which stores its result
                    if self.early_stopping.stopped and not at_end:  # ends as at the last step
                        if self.window:
                            self.log()
                        if options.sample_every and not self._is_due(options.sample_every):
                            self.sample()
                if self._is_due(options.checkpoint_every) and not at_end:
                    self.save()
            self.save()
            return self.team.finish(interruption.signal)

    def _is_due(self, every):
        return bool(every) and self.step % every == 0

    def enter_phase(self):
        """Rebuilds what depends on the phase: graphs, and the input pipeline if the batch size changes."""
        self.gan.begin_phase()
        self.phase, self._num_steps = self.gan.phase(), 1
        self._steps = compile_steps(self.gan, self.strategy, self.phase, self.options.jit)
        self._draw = tf.function(self.gan.sample, autograph=False)
        at = self.config.at(self.images_seen)
        if at.real_batch_size != self.batch_size:
            self.batch_size = at.real_batch_size
            self._iterator = None  # frees the images it may hold before they are read again
            dataset = pipeline.batches(self.splits, at, self.images_seen, self.team.share)
            with quiet.without_chatter():
                self._iterator = iter(self.team.distributed(self.strategy, dataset, self.batch_size))

    def next_count(self) -> int:
        """Number of steps in the next call: at most up to what is due next; 0 at the end."""
        if self.step >= self.last or self.early_stopping.stopped:
            return 0
        options, end = self.options, self.gan.phase_end()
        every = (options.log_every, options.sample_every, options.checkpoint_every,
                 self.evaluate and options.evaluate_every)
        due = [(self.step // each + 1) * each for each in every if each]
        boundary = min([self.last, *due, *([] if end is None else [self.config.steps_in(end)])])
        return min(self._num_steps, boundary - self.step)

    def run_steps(self, count):
        """Runs `count` steps in one call. Raises Diverged."""
        began = time.perf_counter()
        logs = self._steps(self._iterator, tf.constant(count))
        elapsed = time.perf_counter() - began
        self.step = self.config.steps_in(self.images_seen)
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            raise Diverged(f"{broken[0]} became {logs[broken[0]]} at step {self.step}, image {self.images_seen}")
        if logs.get("loss_scale", 1.0) < loss_scale.LEAST:
            raise Diverged(f"gradients overflow float16 at every loss scale, down to {logs['loss_scale']:.1e}, at step "
                           f"{self.step}, image {self.images_seen}")
        self.window.append((count, logs))
        self.reporter.advance(self.step, self.images_seen, logs)
        # At most four times as many as before: the first call was slow because it traced.
        self._num_steps = max(1, min(4 * count, int(SECONDS_PER_CALL * count / elapsed)))

    def log(self):
        """Writes a log line, the mean of each quantity since the last one, and warns of problems that it shows."""
        means = _means(self.window)
        self.reporter.log(self.step, self.images_seen, self.images_seen / self.epoch, means)
        self.history.append({"images": self.images_seen, **means})
        self._warn(self.gan.diagnose(self.history))
        self.window.clear()
        self._call("on_log", self.step, means)

    def _warn(self, found):
        """Tells faults, {short name: sentence}, unless they have been told before."""
        for name in found.keys() - self.diagnosed:
            self.reporter.warn(f"{name} at step {self.step}: {found[name]}")
        self.diagnosed.update(found)

    def sample(self):
        """Writes a sample grid."""
        path = self.reporter.samples(self.step, self.images_seen, picture(self.gan, self._draw(self.sample_inputs)))
        self._call("on_samples", path)

    def look(self):
        """Evaluates the GAN, and saves a checkpoint if it is the best so far."""
        self.check_finite()  # or broken weights would show up as an unrelated error of a metric
        began = time.perf_counter()
        found = self.evaluate(self.gan)
        improved = self.early_stopping.update(self.step, found, self.config.grown(self.images_seen))
        self.reporter.evaluated(self.step, self.images_seen, self.images_seen / self.epoch, found,
                                self.early_stopping.best, time.perf_counter() - began)
        self._warn(diagnosis.of_evaluation({figure.metric: (figure.value, figure.deviation) for figure in found}))
        if improved:
            self.save(self.early_stopping.best)

    def save(self, best=None):
        """Saves a checkpoint; `best`: the metric value it is kept for. Raises Diverged if a weight is not finite."""
        self.check_finite()
        state = {"step": self.step, "seconds": self.reporter.seconds(), "window": self.window,
                 "replicas": self.gan.num_local_replicas}
        if self.evaluate is not None:
            state["watch"] = self.early_stopping.state()
        self._call("on_checkpoint", self.run.save(self.gan, state, best))

    def check_finite(self):
        of_optimizers = (variable for optimizer, _ in self.gan.optimizers for variable in optimizer.variables)
        for variable in (*self.gan.weights(), *of_optimizers):
            if not np.isfinite(variable.numpy()).all():
                raise Diverged(f"{variable.name} is no longer finite at step {self.step}, image {self.images_seen}")

    def _call(self, name, *args):
        for callback in self.callbacks:
            function = getattr(callback, name, None)
            if function is not None:
                function(*args)


def _means(window):
    """{name: mean over the steps of `window` that logged it}."""
    names = dict.fromkeys(name for _, values in window for name in values)
    logged = {name: [(values[name], count) for count, values in window if name in values] for name in names}
    # Rounded: the grouping of steps into calls depends on the machine's speed, and so does the sum's last bit.
    return {name: float(np.float32(np.average([value for value, _ in pairs], weights=[count for _, count in pairs])))
            for name, pairs in logged.items()}


def picture(gan, samples):
    """uint8 [height, width, 3]: the grids of `samples`, from `gan.sample`, one below the other, with titles."""
    titles = gan.sample_titles()
    return images.stack([images.grid(images.enlarged(images.to_uint8(rows)), **titles.get(name, {}))
                         for name, rows in samples.items()], gap=8)
