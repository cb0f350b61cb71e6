"""Where results are kept that take long to compute."""
import os
import pathlib


def path() -> pathlib.Path:
    """TF2GAN_CACHE_DIR, or ~/.cache/tf2gan."""
    return pathlib.Path(os.environ.get("TF2GAN_CACHE_DIR") or "~/.cache/tf2gan").expanduser()
