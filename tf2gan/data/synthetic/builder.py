"""Base classes of the TFDS builders of drawn sets: a config of size and counts, and the encoding of pictures."""
import abc
import io
from typing import Any, Dict, Iterator, Optional, Tuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from tf2gan.data.synthetic.textures import SEED


class SizeConfig(tfds.core.BuilderConfig):
    """Size of the pictures and number of examples; None is the default of the set.

    Args:
      size: side of the square pictures in pixels, at least MIN_SIZE.
      num_train: examples in each split for training, at least 1.
      num_test: examples in each split for testing, at least 1.

    The name is `str(size)`; counts other than the default are appended to it, so that they get a directory of their
    own.

    Raises:
      ValueError: if an argument is below its minimum.
    """

    SIZE, MIN_SIZE, NUM_TRAIN, NUM_TEST = 32, 16, 16000, 4000

    def __init__(self, size: Optional[int] = None, num_train: Optional[int] = None, num_test: Optional[int] = None):
        self.size = self.SIZE if size is None else size
        self.num_train = self.NUM_TRAIN if num_train is None else num_train
        self.num_test = self.NUM_TEST if num_test is None else num_test
        if self.size < self.MIN_SIZE:
            raise ValueError(f"size must be at least {self.MIN_SIZE} pixels, not {self.size}")
        counts = (self.num_train, self.num_test)
        if min(counts) < 1:
            raise ValueError(f"num_train and num_test must be at least 1, not {counts[0]} and {counts[1]}")
        own = "" if counts == (self.NUM_TRAIN, self.NUM_TEST) else f"_{counts[0]}_{counts[1]}"
        super().__init__(name=f"{self.size}{own}", description=f"{self.size}x{self.size} pixels, {counts[0]} + "
                                                               f"{counts[1]} examples in each pair of splits.")


class DrawnSet(tfds.core.GeneratorBasedBuilder):
    """Base of the drawn sets; examples are {"image": uint8 (size, size, channels), "label": a class}.

    A set gives BUILDER_CONFIGS, its default config alone, and `draw`.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    SPLITS = ("train", "test")
    LABELS: Tuple[str, ...] = ()
    PAIRED = False  # whether example i of A and of B belong together
    CHANNELS = 3
    FORMAT, QUALITY = "png", {}

    @classmethod
    def config_for(cls, size: Optional[int] = None) -> SizeConfig:
        """The config of a size (None: the set's own) with the default number of examples.

        Raises:
          ValueError: if `size` is too small.
        """
        default = cls.BUILDER_CONFIGS[0]
        # TFDS refuses a second config object with the name of a listed one.
        return default if size in (None, default.size) else type(default)(size)

    @staticmethod
    @abc.abstractmethod
    def draw(split: str, index: int, size: int) -> np.ndarray:
        """The picture of an example, uint8 (size, size, channels): equal arguments give equal pictures."""

    def label(self, split: str, index: int) -> str:
        return self.LABELS[index % len(self.LABELS)]

    def _info(self) -> tfds.core.DatasetInfo:
        size = self.builder_config.size
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Image(shape=(size, size, self.CHANNELS), encoding_format=self.FORMAT),
                "label": tfds.features.ClassLabel(names=list(self.LABELS))}),
            supervised_keys=("image", "label"),
            disable_shuffling=self.PAIRED)  # TFDS would shuffle the splits of A and of B differently

    def _split_generators(self, dl_manager: Any) -> Dict[str, Iterator]:
        return {split: self._generate_examples(split) for split in self.SPLITS}

    def _generate_examples(self, split: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        config = self.builder_config
        for index in range(config.num_train if split.startswith("train") else config.num_test):
            picture = self.draw(split, index, config.size)
            file = io.BytesIO()
            Image.fromarray(picture[..., 0] if self.CHANNELS == 1 else picture).save(file, self.FORMAT, **self.QUALITY)
            file.seek(0)
            yield f"{split}_{index:04d}", {"image": file, "label": self.label(split, index)}


def generator(number: int, split: str, index: int, size: int) -> np.random.Generator:
    """The random generator of an example of a set; what depends on the size must be drawn from it last.

    `number` is the set's own: 1 digits, 2 house numbers, 3 objects, 4 facades.

    Raises:
      ValueError: for another split than "train" and "test", a negative index or a size below 16.
    """
    splits, smallest = DrawnSet.SPLITS, SizeConfig.MIN_SIZE
    if split not in splits or index < 0 or size < smallest:
        raise ValueError(f"no picture of split {split!r}, index {index}, size {size}: splits are {', '.join(splits)}, "
                         f"indices start at 0, sizes at {smallest}")
    # Five numbers, where fruit scenes and their parts use three and four: no two sets share a stream.
    return np.random.default_rng([SEED, number, splits.index(split), index, 0])
