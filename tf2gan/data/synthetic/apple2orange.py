"""`synthetic_apple2orange`: rendered apples (A) and oranges (B), an unpaired translation set without a download.

It has the splits and features of `cycle_gan/apple2orange`. Every picture is a pure function of (split, index): the
same index shows the same scene at every size. Poses, leaves, light and backgrounds of both domains come from the same
distributions; only what makes the fruit an apple or an orange (skin, gloss, dimple, stem or calyx) differs.

This module holds the builder and its configs; `render.py` draws the pictures.

Nothing here opens a connection. TFDS itself may look for prepared files in its bucket, which recent releases have
switched off; `tfds.download.DownloadConfig(try_download_gcs=False)` keeps `download_and_prepare` from it in any case.
"""
import numpy as np

from tf2gan.data.synthetic.builder import DrawnSet, SizeConfig
from tf2gan.data.synthetic.render import MIN_SIZE, SPLITS, render_scene


class SyntheticConfig(SizeConfig):
    SIZE, MIN_SIZE, NUM_TRAIN, NUM_TEST = 256, MIN_SIZE, 400, 60


class SyntheticApple2orange(DrawnSet):
    """Rendered apples (A) and oranges (B) for unpaired image translation."""

    BUILDER_CONFIGS = [SyntheticConfig()]
    SPLITS, LABELS = SPLITS, ("A", "B")
    # Without chroma subsampling: the colour is what the two domains differ in.
    FORMAT, QUALITY = "jpeg", {"quality": 95, "subsampling": 0}

    @staticmethod
    def draw(split: str, index: int, size: int) -> np.ndarray:
        return render_scene(split, index, size)[0]

    def label(self, split: str, index: int) -> str:
        return split[-1]
