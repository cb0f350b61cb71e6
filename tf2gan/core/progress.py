"""Shows the progress of a tool on stderr."""
import importlib.util
import sys

import tqdm


def bar(**options):
    """A tqdm bar on stderr if that is a terminal, or in a notebook that can show one; else a disabled bar."""
    if "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets"):
        from tqdm import notebook

        return notebook.tqdm(**options)
    return tqdm.tqdm(disable=not sys.stderr.isatty(), dynamic_ncols=True, **options)


class Counter:
    """Counts a tool's finished images: a bar on stderr if that is a terminal, else a line at every tenth."""

    def __init__(self, what, total):
        self.what, self.total, self.done = what, total, 0
        self.bar = tqdm.tqdm(desc=what, total=total, unit="image") if sys.stderr.isatty() else None
        self(0)

    def __call__(self, num=1):
        before, self.done = self.done, self.done + num
        if self.bar is not None:
            self.bar.update(num)
        elif not num or self.done * 10 // self.total > before * 10 // self.total:
            print(f"{self.what}: {self.done} of {self.total} images", file=sys.stderr, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()


def number(value) -> str:
    """Formats a metric value for people."""
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
