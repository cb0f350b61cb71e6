"""Training as tf2gan does it, and steps of the same GAN as simple TensorFlow programs do them."""
import contextlib
import math
import pathlib
import tempfile
import time

import numpy as np
import tensorflow as tf

from benchmarks import data, flops, profiling, timing
from tf2gan.core import images, quiet
from tf2gan.data import pipeline
from tf2gan.gans import GANS
from tf2gan.networks import upsampling
from tf2gan.runs import run_folder
from tf2gan.training.devices import make_strategy
from tf2gan.training.loop import SECONDS_PER_CALL, build_gan, compile_steps, picture
from tf2gan.training.options import Options
from tf2gan.training.plan import epoch_images, total_images


@contextlib.contextmanager
def keras_upsampling():
    """Networks built in the `with` block first double the feature maps and then convolve them, as Keras's layers do."""
    before, upsampling.LEAST_PIXELS = upsampling.LEAST_PIXELS, math.inf
    try:
        yield
    finally:
        upsampling.LEAST_PIXELS = before


class Contestant:
    """What all contestants have in common; each has its own `build` and `step`.

    A job is {"model", "preset", "config": {field: value}, "precision"}, and perhaps "jit", "replicas".
    """

    def __init__(self, job):
        """Sets up devices and in-memory data; `build`, whose time is measured, builds the networks."""
        self.gan_class = GANS[job["model"]]
        self.config = self.gan_class.Config(**job["config"])
        self.options = Options(precision=job["precision"], jit=job.get("jit", False), replicas=job.get("replicas"),
                               **self.gan_class.preset_options.get(job["preset"], {}))
        self.strategy = make_strategy(self.options)
        self.splits = data.splits(self.gan_class, self.config)
        names = next(iter(self.splits.values())).class_names
        self.class_names = names and list(names)

    def first_step(self) -> dict:
        """Builds everything and runs one step.

        Returns {"seconds": of both, "parameters": number of those trained, "images": real ones of each kind per step}.
        """
        began = time.perf_counter()
        self.build()
        self.step()
        return {"seconds": time.perf_counter() - began, "parameters": self.parameters(),
                "images": self.config.at(self.start()).images_per_step}

    def warm_up(self, seconds) -> float:
        """Runs for `seconds`, and at least three steps; returns the seconds per step in the second half."""
        took, before = [], time.perf_counter()
        while len(took) < 3 or time.perf_counter() - before < seconds:
            took += self.each(1)
        return float(np.median(took[len(took) // 2:]))

    def block(self, steps) -> float:
        """Seconds per step, over `steps` steps in a row."""
        return sum(self.each(steps)) / steps

    def each(self, steps) -> list:
        """Seconds of each of `steps` steps, timed one by one."""
        return timing.each(self.step, steps)

    def build(self):
        raise NotImplementedError

    def step(self):
        """Runs one step; it is finished on return."""
        raise NotImplementedError

    def parameters(self) -> int:
        return sum(math.prod(variable.shape) for _, variables in self.gan.optimizers for variable in variables)

    def total_images(self):
        return total_images(self.config, self.splits)

    def start(self):
        """Images seen when the networks have grown to full size."""
        config = self.config
        return next((at for at in config.changes() if config.grown(at)), self.total_images() - 1)


class Tf2gan(Contestant):
    """Many steps per call, on the pipeline's batches, as `training.loop.Trainer` runs them."""

    def build(self):
        self.gan = build_gan(self.gan_class, self.config, self.total_images(), self.strategy, self.class_names,
                             epoch_images(self.splits))
        self.gan.images_seen.assign(self.start())
        self.gan.begin_phase()
        at = self.config.at(self.start())
        self.steps = compile_steps(self.gan, self.strategy, self.gan.phase(), self.options.jit)
        self._steps_per_call = 1
        with quiet.without_chatter():
            self.iterator = iter(self.strategy.experimental_distribute_dataset(
                pipeline.batches(self.splits, at, self.start())))

    def step(self):
        self.steps(self.iterator, tf.constant(1))

    def block(self, steps):
        """Runs calls of as many steps as fill half a second, as training does."""
        began, done = time.perf_counter(), 0
        while done < steps:
            num, called = min(self._steps_per_call, steps - done), time.perf_counter()
            self.steps(self.iterator, tf.constant(num))
            done += num
            took = (time.perf_counter() - called) / num
            self._steps_per_call = max(1, min(4 * self._steps_per_call, int(SECONDS_PER_CALL / took)))
        return (time.perf_counter() - began) / steps

    def gflop(self) -> float:
        """Floating-point operations per step, in units of 10^9, counted in its graph."""
        batch_size = self.config.at(self.start()).batch_size
        num, spec = self.gan.batches_per_step, self.gan.batch_spec(batch_size)
        phase = self.gan.phase()

        @tf.function
        def step(*batches):
            return self.strategy.run(lambda *each: self.gan.train_step(*each, **phase), args=batches)

        return flops.count(step.get_concrete_function(*[spec] * num).graph) / 1e9

    def pipeline(self, seconds) -> float:
        """Seconds that one thread of the input pipeline needs for the batches of a step, measured for `seconds`."""
        if not hasattr(self, "_batches"):
            options = tf.data.Options()
            options.threading.private_threadpool_size = 1
            options.threading.max_intra_op_parallelism = 1
            self._batches = iter(pipeline.batches(self.splits, self.config.at(self.start())).with_options(options))

            @tf.function
            def take(iterator, num):
                for _ in tf.range(num):
                    next(iterator)

            self._take = take
        self._take(self._batches, tf.constant(10))  # uses up what was prefetched while others worked
        done, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            self._take(self._batches, tf.constant(10))
            done += 10
        return (time.perf_counter() - began) / done * self.gan.batches_per_step

    def overhead(self) -> dict:
        """Seconds per checkpoint and per sample grid, and the numbers of these and of steps in a default training."""
        options = self.options
        with tempfile.TemporaryDirectory() as folder:
            record = {"model": "", "config": {}, "options": {}, "data": {}}
            saving = []
            with run_folder.created(pathlib.Path(folder) / "run", record) as run:
                for _ in range(3):
                    began = time.perf_counter()
                    self.gan.images_seen.assign_add(1)  # the same state is not saved twice
                    run.save(self.gan, {"step": 0, "replicas": 1})
                    saving.append(time.perf_counter() - began)
            inputs = self.gan.sample_inputs(options.num_samples)
            if inputs is None:
                inputs = pipeline.unpaired_examples(self.splits, self.config, options.num_samples)
            draw, sampling = tf.function(self.gan.sample, autograph=False), []
            for _ in range(3):
                began = time.perf_counter()
                images.write_image(pathlib.Path(folder) / "sample.png", picture(self.gan, draw(inputs)))
                sampling.append(time.perf_counter() - began)
        steps = self.config.steps_in(self.total_images())
        return {"checkpoint_seconds": float(np.median(saving)), "sample_seconds": float(np.median(sampling[1:])),
                "first_sample_seconds": sampling[0], "steps": steps,
                "checkpoints": -(-steps // options.checkpoint_every), "samples": 1 + -(-steps // options.sample_every)}

    def profile(self, steps) -> dict:
        """{"seconds": per step while profiled, "ops": {type of operation: seconds per step, over all threads}}."""
        return profiling.profile(lambda: self.steps(self.iterator, tf.constant(steps)), steps)


class Plain(Contestant):
    """The same GAN with Keras's upsampling and Adam, one step per call of a `tf.function`; reads the logs each time."""

    def build(self):
        class WithKerasAdam(self.gan_class):
            def make_optimizer(self, kind, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7, *args, **kwargs):
                if kind != "adam":
                    return super().make_optimizer(kind, learning_rate, beta_1, beta_2, epsilon, *args, **kwargs)
                # Without a schedule, whose cost is too small to measure.
                return tf.keras.optimizers.Adam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)

        tf.keras.utils.set_random_seed(self.config.seed)
        with keras_upsampling():
            self.gan = gan = WithKerasAdam(self.config, self.total_images())
        gan.class_names, gan.epoch_images = self.class_names, epoch_images(self.splits)
        gan.images_seen.assign(self.start())
        gan.begin_phase()
        phase = gan.phase()
        num_images = self.config.at(self.start()).images_per_step

        @tf.function
        def train_step(*batches):
            logs = gan.train_step(*batches, **phase)
            gan.end_step(num_images)
            return logs

        self._train_step = train_step
        self._batches = iter(pipeline.batches(self.splits, self.config.at(self.start()), self.start()))

    def step(self):
        logs = self._train_step(*[next(self._batches) for _ in range(self.gan.batches_per_step)])
        return {name: float(value) for name, value in logs.items()}
