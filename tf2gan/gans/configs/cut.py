"""Options and presets of CUT."""
import dataclasses
from typing import Literal

from tf2gan.core.errors import UserError
from tf2gan.gans.configs import translation
from tf2gan.gans.configs.translation import Direction


@dataclasses.dataclass(frozen=True)
class Config(translation.Unpaired):
    """Options of CUT."""

    direction: Direction = "a2b"  # a2b: from A to B; b2a: from B to A
    generator: Literal["resunet", "resnet"] = "resunet"  # generator; resnet is the paper's, and much slower
    nce_weight: float = 1.0  # weight of each contrastive loss
    identity: bool = True  # a contrastive loss on targets as inputs, too
    num_patches: int = 256  # places of each map of features that are told apart
    vector_size: int = 256  # numbers that describe a place
    temperature: float = 0.07  # the contrastive loss's; lower ones ask for clearer differences
    flip_equivariance: bool = False  # flip half of the inputs, and compare features as if they were not

    def check(self):
        super().check()
        for name, low in (("nce_weight", 0), ("num_patches", 2), ("vector_size", 1)):
            self.check_range(name, low)
        if not self.temperature > 0:
            raise UserError(f"--temperature {self.temperature}: must be above 0")
        if not (self.adversarial_weight or self.projected_weight):
            raise UserError("--adversarial-weight, --projected-weight are both 0: nothing would translate")


_PAPER = {"generator": "resnet", "discriminator": "patchgan-70", "projected_weight": 0.0, "image_size": "256"}
PRESETS = {
    "cut": Config(),
    "paper": Config(**_PAPER, epochs=400),
    # Sec. 4.1: no identity, a weight of 10, half as long.
    "fastcut": Config(**_PAPER, epochs=200, nce_weight=10.0, identity=False, flip_equivariance=True),
}

PRESET_OPTIONS = {}
