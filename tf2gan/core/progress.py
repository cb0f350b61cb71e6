"""Shows the progress of long work on stderr: a bar on a terminal or in a notebook, else a line now and then."""
import contextlib
import importlib.util
import math
import sys
import threading
import time

import tqdm

from tf2gan.core import terminal

SECONDS = 10.0  # at least, between two lines where there is no bar


def bar(**options):
    """A tqdm bar on stderr if that is a terminal, or in a notebook that can show one; else a disabled bar."""
    if "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets"):
        from tqdm import notebook

        return notebook.tqdm(**options)
    return tqdm.tqdm(disable=not terminal.is_terminal(), dynamic_ncols=True, file=terminal.Stderr(), **options)


class Throttle:
    """Says when the next line is due: the first one at once or, if `wait`, after SECONDS."""

    def __init__(self, wait=False):
        self._last = time.monotonic() if wait else -math.inf

    def __call__(self) -> bool:
        now = time.monotonic()
        due = now - self._last >= SECONDS
        if due:
            self._last = now
        return due


class Counter:
    """Counts finished images, or whatever `unit` names: a bar, or else a line every ten seconds and one at the end.

    As a context manager it closes the bar. Work that is done within ten seconds prints no line.
    """

    def __init__(self, what, total, unit="images"):
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self._bar = bar(desc=what, total=total, unit=f" {unit}")
        self._due, self._told = Throttle(wait=True), False
        self._began = time.monotonic()

    def __call__(self, num=1):
        self.done += num
        if not self._bar.disable:
            self._bar.update(num)
        elif self._due() or (self._told and self.done == self.total):
            self._told = True
            terminal.say(f"{self.what}: {self.done} of {self.total} {self.unit}{self._left()}")

    def _left(self):
        if not 0 < self.done < self.total:
            return ""
        return f", {duration((time.monotonic() - self._began) * (self.total - self.done) / self.done)} left"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._bar.close()


@contextlib.contextmanager
def counting(shown, what, total, unit="images"):
    """A Counter in a `with` block; None if it is not to be `shown`."""
    if not shown:
        yield None
        return
    with Counter(what, total, unit) as counter:
        yield counter


@contextlib.contextmanager
def heartbeat(what):
    """Says every ten seconds that `what`, of which no progress is known, still goes on."""
    over = threading.Event()
    began = time.monotonic()

    def beat():
        while not over.wait(SECONDS):
            terminal.say(f"{what}: {duration(time.monotonic() - began)} so far")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def duration(seconds) -> str:
    """A span of time for people: "40 s", "5 min", "3 h 20 min", "4 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes and hours < 10 else "")
    return f"{hours / 24:.0f} days"


def number(value) -> str:
    """Formats a metric value for people."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
