"""Pictures that a notebook displays."""
import pathlib

import numpy as np

from tf2gan.core import images


class Picture:
    """A picture, uint8 [height, width, 1 or 3]. A notebook displays it; `save` writes it; `pixels` is the array."""

    def __init__(self, pixels):
        self.pixels = np.asarray(pixels)

    def save(self, path) -> pathlib.Path:
        """Writes it in the format of the path's suffix. Raises UserError if that is impossible."""
        images.write_image(path, self.pixels)
        return pathlib.Path(path)

    def _repr_png_(self):
        return images.encode_image(self.pixels, ".png")

    def __repr__(self):
        return f"<Picture {self.pixels.shape[1]} x {self.pixels.shape[0]}>"


def grid(pictures, columns=None) -> Picture:
    """uint8 [n, height, width, 1 or 3] as one Picture, a grid of `columns`; None: as square as possible."""
    return Picture(images.grid(images.enlarged(images.squared(np.asarray(pictures), columns))))
