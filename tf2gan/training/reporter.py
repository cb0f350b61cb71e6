"""Reports training to the user: progress bar or plain lines, metrics.jsonl, TensorBoard, sample grids."""
import contextlib
import math
import os
import time

import tensorflow as tf

from tf2gan.core import images, progress, terminal
from tf2gan.core.progress import bar, number


class Reporter:
    """Writes to stderr, to the run folder and to TensorBoard; progress is counted in images seen."""

    def __init__(self, run, start, total, num_steps, seconds_before=0.0):
        """`start` and `total` are in images; `num_steps` is that of the whole training.

        `seconds_before`: training time of earlier sessions of this run.
        """
        self.run, self.total, self.num_steps = run, total, num_steps
        self._seconds_before, self._began = seconds_before, time.perf_counter()
        self._writer = tf.summary.create_file_writer(os.fsencode(run.path.absolute()))
        self._last = (self._began, start)
        self._first, self._estimates = None, [0.0, 60.0]  # seconds of training after which the rest is estimated
        self._bar = bar(initial=start, total=total, unit="img", smoothing=0.05)
        self._lines = self._bar.disable
        self._due, self._samples_due = progress.Throttle(), progress.Throttle(wait=True)

    def seconds(self) -> float:
        """Training time of the run so far, earlier sessions included."""
        return self._seconds_before + time.perf_counter() - self._began

    def advance(self, step, num_images, logs):
        """Updates the progress bar after each call; `logs`: those of its steps. Estimates the time that is left."""
        self._estimate(num_images)
        self._bar.update(num_images - self._bar.n)
        self._bar.set_postfix_str(_headline(logs), refresh=False)

    def _estimate(self, num_images):
        """Says how long training will take: after the second call, as the first one compiles, and after a minute."""
        now = time.perf_counter()
        if self._first is None:
            self._first = (now, num_images)
            return
        seconds, images = now - self._first[0], num_images - self._first[1]
        if not self._estimates or images <= 0 or seconds < self._estimates[0]:
            return
        self._estimates = [needed for needed in self._estimates if needed > seconds]
        left = seconds / images * (self.total - num_images)
        if left > 30:
            self._say(f"time: about {progress.duration(left)} to go, at the present {images / seconds:.3g} images a "
                      "second")

    def log(self, step, num_images, epoch, means):
        """Logs the mean of each quantity over the last `log_every` steps."""
        now = time.perf_counter()
        rate = (num_images - self._last[1]) / max(now - self._last[0], 1e-9)
        self._last = (now, num_images)
        line = {"step": step, "images": num_images, "epoch": round(epoch, 4), "seconds": round(self.seconds(), 3),
                "images_per_second": round(rate, 3), **means}
        self.run.log(line)
        with self._writer.as_default(step=num_images):
            for name, value in {"images_per_second": rate, **means}.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        if self._lines and (self._due() or num_images >= self.total):
            minutes, seconds = divmod(int((self.total - num_images) / max(rate, 1e-9)), 60)
            left = f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
            terminal.say(f"step {step}/{self.num_steps} images {num_images} {_headline(means)} "
                         f"{rate:.1f} img/s ETA {left}")

    def warn(self, message):
        """Shows a warning to the user; training goes on."""
        self._say(f"warning: {message}")

    def evaluated(self, step, num_images, epoch, figures, best, took):
        """Reports an evaluation; metrics.jsonl and TensorBoard get its metric values under their full names.

        `figures`: [metrics.values.Figure]; `best`: that of an `early_stopping.EarlyStopping`; `took`: the evaluation's
        seconds, which do not count as training time.
        """
        self._last = (self._last[0] + took, self._last[1])
        line = {"step": step, "images": num_images, "epoch": round(epoch, 4), "seconds": round(self.seconds(), 3)}
        for figure in figures:
            line[figure.name] = _jsonable(figure.value)
            if figure.deviation is not None:
                line[f"{figure.name}_deviation"] = _jsonable(figure.deviation)
        self.run.log(line)
        with self._writer.as_default(step=num_images):
            for figure in figures:
                tf.summary.scalar(figure.name, figure.value)
        self._writer.flush()
        told = ", ".join(_told(figure, best, step) for figure in figures)
        self._say(f"evaluated at step {step}: {told}")

    def samples(self, step, num_images, picture):
        """Writes a sample grid, uint8 [height, width, 3], to samples/IMAGES.png and TensorBoard; returns its path."""
        path = self.run.path / "samples" / f"{num_images:010d}.png"
        images.write_image(path, picture)
        with self._writer.as_default(step=num_images):
            tf.summary.image("samples", picture[None])
        self._writer.flush()
        if self._samples_due() or num_images >= self.total:
            self._say(f"samples after {num_images} images (step {step}): {path}")
        return path

    def _say(self, line):
        if self._lines:
            terminal.say(line)
        else:
            self._bar.write(line, file=terminal.Stderr())

    def close(self):
        """Ends the bar and the TensorBoard file. Never raises: what a full disk does not take is told elsewhere."""
        self._bar.close()
        with contextlib.suppress(tf.errors.OpError, OSError):
            self._writer.close()


class Silence:
    """Stands in for a Reporter on workers that are not the chief: it reports nothing."""

    def seconds(self) -> float:
        return 0.0

    def advance(self, *args):
        pass

    log = warn = advance


def _headline(logs):
    """The quantities that fit on a line."""
    names = [name for name in logs if name.endswith(("_loss", "_distance"))] or list(logs)[:3]
    told = ["D right about"] * ("real_accuracy" in logs) + [
        f"{kind} {100 * logs[f'{kind}_accuracy']:.0f} %" for kind in ("real", "fake") if f"{kind}_accuracy" in logs]
    return " ".join([*(f"{name}={logs[name]:.4f}" for name in names), *told])


def _told(figure, best, step):
    """A metric value as text for the line of an evaluation, with the best value so far if that is tracked."""
    notes = [] if math.isfinite(figure.value) else ["not finite"]
    if best and best["metric"] == figure.metric:
        notes += ["the best so far" if best["step"] == step else f"best {number(best['value'])} at step {best['step']}"]
    return f"{figure.metric} {number(figure.value)}" + (f" ({'; '.join(notes)})" if notes else "")


def _jsonable(value):
    return float(value) if math.isfinite(value) else None  # JSON has no NaN


def confusion_matrix(logs) -> str:
    """Confusion matrix of the discriminator as text: real against generated images; empty if it was not logged."""
    if "real_accuracy" not in logs:
        return ""
    rows = [("real images", logs["real_accuracy"], 1 - logs["real_accuracy"], "true positives, false negatives"),
            ("generated images", 1 - logs["fake_accuracy"], logs["fake_accuracy"], "false positives, true negatives")]
    return "\n".join([f"{'the discriminator took':24}{'for real':>10}{'for generated':>15}",
                      *(f"  {name:22}{real:10.1%}{fake:15.1%}   {words}" for name, real, fake, words in rows)])
