"""What can be done with a trained GAN. Each method declares it once; signatures, cards and evaluations follow from it."""
import dataclasses
from typing import Tuple


@dataclasses.dataclass(frozen=True)
class Abilities:
    """Of a method. A field is empty or False for what it cannot do."""

    directions: Tuple[str, ...] = ()  # in which it translates images: "a2b", "b2a"
    samples: bool = False  # it makes images from latents
    takes_labels: bool = False  # of a class that is asked for
    classifies: bool = False  # it tells the classes of images apart

    @property
    def translates(self) -> bool:
        """Whether it makes images of images."""
        return bool(self.directions)
