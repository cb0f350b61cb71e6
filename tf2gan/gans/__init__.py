"""The methods by name."""
from tf2gan.gans.cyclegan import CycleGAN

GANS = {"cyclegan": CycleGAN}
