"""The one training loop: every method, on one device or many, started anew or resumed."""
import functools
import math
import random
import signal
import threading
import time

import numpy as np
import tensorflow as tf

from tf2gan.core import images, quiet
from tf2gan.core.errors import Failure
from tf2gan.data import pipeline
from tf2gan.training import cluster, early_stopping
from tf2gan.training.plan import epoch_images

SECONDS_PER_CALL = 0.5  # steps run in one call before the host looks at logs, signals and the clock again


class Diverged(Failure):
    """A logged quantity is no longer finite."""


def build_gan(gan_class, config, total, strategy, class_names=None, num_epoch=None, own=None):
    """The GAN with its initial weights, a pure function of the configuration, on the devices of `strategy`.

    `own`: as `gans.base.GAN` takes it. The dice of Python and numpy, which Keras sets too, are as before afterwards.
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
    """Ctrl-C and SIGTERM let the current call finish; a second one ends at once.

    Python delivers signals to the main thread alone: a training in another thread leaves them as they are.
    """

    def __enter__(self):
        self.signal, self._before = None, {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive)
                            for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _receive(self, number, frame):
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def __exit__(self, *args):
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Trainer:
    """Trains a GAN from its clock to its `total_images`.

    `train` is the loop; each method below it is one thing that the loop does.
    """

    def __init__(self, gan, strategy, splits, run, options, reporter, info=None, evaluate=None, team=cluster.ALONE,
                 callbacks=()):
        """Takes what is needed to train, and begins nothing.

        Args:
            gan: built by `build_gan`, restored where the run is resumed.
            splits: {name: Split} of the data.
            run: a `run_folder.Run`; `options`: this session's Options.
            reporter: what the user sees, a `reporter.Reporter`.
            info: of the checkpoint that is gone on from: `window`, [(number of steps, {name: mean})] since the last log
                line, and `watch`, the state of its EarlyStopping.
            evaluate: a function of the GAN that returns [metrics.values.MetricValue] and changes nothing of it, for
                `options.evaluate_every`; None is never.
            team: the workers that train together. What only one of them is to do, the others' `run`, `reporter` and
                `options` leave out.
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
        """Trains to the end; returns the number of a signal that ended it early, or None.

        With `options.stop_after` it may end before; the EarlyStopping of the newest checkpoint tells. Raises Diverged,
        with the first quantity that is not finite in its message; no checkpoint is written then.
        """
        options = self.options
        self.enter_phase()
        with Interruption() as interruption, self.team.together():
            if options.sample_every and self.step == 0:
                self.sample()
            if self.step and self._is_due(options.checkpoint_every):
                self.save()  # missing if what is gone on from is the best one, and a kill came between the two
            while True:
                if self.step < self.last and self.gan.phase() != self.phase:
                    self.enter_phase()
                count = self.team.agree(self.step, self.next_count(), interruption.signal)
                if not count:
                    break
                self.run_steps(count)
                at_end = self.step == self.last
                if self._is_due(options.log_every) or at_end or self.gan.phase() != self.phase:
                    self.log()  # no means over two phases, whose networks may differ
                if options.sample_every and (self._is_due(options.sample_every) or at_end):
                    self.sample()
                if self.evaluate is not None and (self._is_due(options.evaluate_every) or at_end):
                    self.look()  # before the ordinary checkpoint, which so knows of it
                    if self.early_stopping.stopped and not at_end:  # an end like any other
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
        """Makes anew what depends on the phase: graphs, and, where the batch size changes, the stream of examples."""
        self.gan.begin_phase()
        self.phase, self._num_steps = self.gan.phase(), 1
        self._steps = compile_steps(self.gan, self.strategy, self.phase)
        self._draw = tf.function(self.gan.sample, autograph=False)
        at = self.config.at(self.images_seen)
        if at.real_batch_size != self.batch_size:
            self.batch_size = at.real_batch_size
            self._iterator = None  # with the images that it may hold, before these are read anew
            dataset = pipeline.batches(self.splits, at, self.images_seen, self.team.share)
            with quiet.without_chatter():
                self._iterator = iter(self.team.distributed(self.strategy, dataset, self.batch_size))

    def next_count(self) -> int:
        """Steps to run in the next call: up to whatever is due next; 0 at the end."""
        if self.step >= self.last or self.early_stopping.stopped:
            return 0
        options, end = self.options, self.gan.phase_end()
        every = (options.log_every, options.sample_every, options.checkpoint_every,
                 self.evaluate and options.evaluate_every)
        due = [(self.step // each + 1) * each for each in every if each]
        boundary = min([self.last, *due, *([] if end is None else [self.config.steps_in(end)])])
        return min(self._num_steps, boundary - self.step)

    def run_steps(self, count):
        """Runs so many steps in one call. Raises Diverged."""
        began = time.perf_counter()
        logs = self._steps(self._iterator, tf.constant(count))
        elapsed = time.perf_counter() - began
        self.step = self.config.steps_in(self.images_seen)
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            raise Diverged(f"{broken[0]} became {logs[broken[0]]} at step {self.step}, image {self.images_seen}")
        self.window.append((count, logs))
        self.reporter.advance(self.step, self.images_seen, logs)
        # At most four times as many as before: the first call was slow because it traced.
        self._num_steps = max(1, min(4 * count, int(SECONDS_PER_CALL * count / elapsed)))

    def log(self):
        """A log line: the mean of each quantity since the last one, and what it says of the training."""
        means = _means(self.window)
        self.reporter.log(self.step, self.images_seen, self.images_seen / self.epoch, means)
        self.history.append({"images": self.images_seen, **means})
        found = self.gan.diagnose(self.history)
        for name in found.keys() - self.diagnosed:
            self.reporter.warn(f"{name} at step {self.step}: {found[name]}")
        self.diagnosed.update(found)
        self.window.clear()
        self._call("on_log", self.step, means)

    def sample(self):
        """A sample grid."""
        path = self.reporter.samples(self.images_seen, picture(self.gan, self._draw(self.sample_inputs)))
        self._call("on_samples", path)

    def look(self):
        """An evaluation, and the best checkpoint if that is what it found."""
        self.check_finite()  # or broken weights would be told as whatever their metrics fail with
        began = time.perf_counter()
        found = self.evaluate(self.gan)
        improved = self.early_stopping.update(self.step, found, self.config.grown(self.images_seen))
        self.reporter.evaluated(self.step, self.images_seen, self.images_seen / self.epoch, found,
                                self.early_stopping.best, time.perf_counter() - began)
        if improved:
            self.save(self.early_stopping.best)

    def save(self, best=None):
        """A checkpoint; `best`: the metric value for which it is kept. Raises Diverged for weights that are not finite.
        """
        self.check_finite()
        state = {"step": self.step, "seconds": self.reporter.seconds(), "window": self.window,
                 "replicas": self.gan.num_local_replicas}
        if self.evaluate is not None:
            state["watch"] = self.early_stopping.state()
        self._call("on_checkpoint", self.run.save(self.gan, state, best))

    def check_finite(self):
        for variable in (*self.gan.weights(), *(v for optimizer, _ in self.gan.optimizers for v in optimizer.variables)):
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
    # Rounded: how steps fell into calls depends on the machine's speed, and so does the sum's last bit.
    return {name: float(np.float32(np.average([value for value, _ in pairs], weights=[count for _, count in pairs])))
            for name, pairs in logged.items()}


def picture(gan, samples):
    """uint8 [height, width, 3]: what `gan.sample` returned, one grid under the other, with titles."""
    titles = gan.sample_titles()
    return images.stack([images.grid(images.enlarged(images.to_uint8(rows)), **titles.get(name, {}))
                         for name, rows in samples.items()], gap=8)
