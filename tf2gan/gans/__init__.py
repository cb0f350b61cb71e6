"""The methods by name."""
from tf2gan.gans.conditional import CGAN
from tf2gan.gans.cyclegan import CycleGAN
from tf2gan.gans.dcgan import DCGAN
from tf2gan.gans.progressive import ProGAN
from tf2gan.gans.semi_supervised import SGAN
from tf2gan.gans.vanilla import GAN
from tf2gan.gans.wasserstein import WGAN

GANS = {"gan": GAN, "dcgan": DCGAN, "cgan": CGAN, "wgan": WGAN, "progan": ProGAN, "sgan": SGAN,
        "cyclegan": CycleGAN}

# What a user may call a method: by its own name, or by that of a preset which begins with it, such as gan-deep.
NAMES = {preset: (name, preset) for name, gan_class in GANS.items() for preset in gan_class.presets
         if preset.startswith(name)}
NAMES.update({name: (name, next(iter(gan_class.presets))) for name, gan_class in GANS.items()})
