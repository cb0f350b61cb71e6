"""What a trained GAN can do. Each method declares it once; signatures, model cards and evaluations follow from it."""
import dataclasses
from typing import Tuple


@dataclasses.dataclass(frozen=True)
class Abilities:
    """The abilities of a method. A field is empty or False for what the method cannot do."""

    directions: Tuple[str, ...] = ()  # in which it translates images, of "a2b" and "b2a"
    styles: bool = False  # a translation also takes a style: each gives another translation of the same image
    samples: bool = False  # it generates images from latents
    takes_labels: bool = False  # it generates images of a given class
    classifies: bool = False  # it predicts the classes of images

    @property
    def translates(self) -> bool:
        """Whether it translates images in any direction."""
        return bool(self.directions)
