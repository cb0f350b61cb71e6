"""`synthetic_apple2orange`: rendered apples (A) and oranges (B), an unpaired translation set without a download.

It has the splits and features of `cycle_gan/apple2orange`. Every picture is a pure function of (split, index): the
same index shows the same scene at every size. Poses, leaves, light and backgrounds of both domains come from the same
distributions; only what makes the fruit an apple or an orange (skin, gloss, dimple, stem or calyx) differs.

This module holds the builder and its configs; `render.py` draws the pictures.

Nothing here opens a connection. TFDS itself may look for prepared files in its bucket, which recent releases have
switched off; `tfds.download.DownloadConfig(try_download_gcs=False)` keeps `download_and_prepare` from it in any case.
"""
import io
from typing import Any, Dict, Iterator, Tuple

import tensorflow_datasets as tfds
from PIL import Image

from tf2gan.data.synthetic.render import MIN_SIZE, SPLITS, render_scene


class SyntheticConfig(tfds.core.BuilderConfig):
    """Size of the pictures and number of examples.

    Args:
      size: side of the square pictures in pixels, at least 32.
      num_train: examples in each of trainA and trainB, at least 1.
      num_test: examples in each of testA and testB, at least 1.

    The name is `str(size)`; counts other than the default are appended to it, so that they get a directory of their
    own.

    Raises:
      ValueError: if an argument is below its minimum.
    """

    def __init__(self, size: int = 256, num_train: int = 400, num_test: int = 60):
        if size < MIN_SIZE:
            raise ValueError(f"size must be at least {MIN_SIZE} pixels, not {size}")
        if num_train < 1 or num_test < 1:
            raise ValueError(f"num_train and num_test must be at least 1, not {num_train} and {num_test}")
        counts = "" if (num_train, num_test) == (400, 60) else f"_{num_train}_{num_test}"
        super().__init__(name=f"{size}{counts}",
                         description=f"{size}x{size} pixels, {num_train} + {num_test} examples of each fruit.")
        self.size, self.num_train, self.num_test = size, num_train, num_test


_DEFAULT_CONFIG = SyntheticConfig()


def config_for(size: int) -> SyntheticConfig:
    """The config named `str(size)` with the default number of examples.

    Raises:
      ValueError: if `size` is below 32 pixels.
    """
    # TFDS refuses a second config object with the name of a listed one.
    return _DEFAULT_CONFIG if size == _DEFAULT_CONFIG.size else SyntheticConfig(size)


class SyntheticApple2orange(tfds.core.GeneratorBasedBuilder):
    """TFDS builder `synthetic_apple2orange`; examples are {"image": uint8 (size, size, 3), "label": 0 = A, 1 = B}."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [_DEFAULT_CONFIG]

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        return tfds.core.DatasetInfo(
            builder=self,
            description="Rendered apples (A) and oranges (B) for unpaired image translation.",
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Image(shape=(size, size, 3), encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(names=["A", "B"])}),
            supervised_keys=("image", "label"))

    def _split_generators(self, dl_manager: Any) -> Dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in SPLITS}

    def _generate_examples(self, split: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        config = self.builder_config
        for index in range(config.num_train if split.startswith("train") else config.num_test):
            file = io.BytesIO()
            # Without chroma subsampling: the colour is what the two domains differ in.
            Image.fromarray(render_scene(split, index, config.size)[0]).save(file, "JPEG", quality=95, subsampling=0)
            file.seek(0)
            yield f"{split}_{index:04d}", {"image": file, "label": split[-1]}
