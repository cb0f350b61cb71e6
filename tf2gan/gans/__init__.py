"""The methods by name. A method's module is imported, and TensorFlow with it, when its class is asked for."""
import collections.abc
import importlib
import os
import sys
import types

from tf2gan.core import errors

# {name: (module below tf2gan.gans, class)}; the options of each are in the module of the same name below configs.
_BUILT_IN = {"gan": ("vanilla", "GAN"), "dcgan": ("dcgan", "DCGAN"), "cgan": ("conditional", "CGAN"),
             "wgan": ("wasserstein", "WGAN"), "progan": ("progressive", "ProGAN"),
             "sgan": ("semi_supervised", "SGAN"), "projected": ("projected_gan", "ProjectedGAN"),
             "fastgan": ("fastgan", "FastGAN"), "cyclegan": ("cyclegan", "CycleGAN"),
             "augmented-cyclegan": ("augmented_cyclegan", "AugmentedCycleGAN"),
             "pix2pix": ("pix2pix", "Pix2Pix"), "cut": ("cut", "CUT"), "cycada": ("cycada", "CyCADA")}


class Methods(collections.abc.Mapping):
    """{name of a method: its class}."""

    def __init__(self):
        self._registered = {}

    def __getitem__(self, name):
        if name in self._registered:
            return self._registered[name]
        module, cls = _BUILT_IN[name]
        return getattr(importlib.import_module(f"tf2gan.gans.{module}"), cls)

    def __iter__(self):
        return iter([*_BUILT_IN, *(name for name in self._registered if name not in _BUILT_IN)])

    def __len__(self):
        return len(list(iter(self)))

    def __contains__(self, name):
        return isinstance(name, str) and (name in _BUILT_IN or name in self._registered)

    def numbers(self, name):
        """The `Config`, `presets` and `preset_options` of a method, without its class and so without TensorFlow."""
        if name in self._registered:
            return self._registered[name]
        module = importlib.import_module(f"tf2gan.gans.configs.{_BUILT_IN[name][0]}")
        return types.SimpleNamespace(Config=module.Config, presets=module.PRESETS, preset_options=module.PRESET_OPTIONS)

    def names(self) -> dict:
        """{what a user may call a method: (method, preset)}: by its own name, or by that of a preset, such as gan-deep.
        """
        found = {preset: (name, preset) for name in self for preset in self.numbers(name).presets
                 if preset.startswith(name)}
        return {**found, **{name: (name, next(iter(self.numbers(name).presets))) for name in self}}

    def description(self, name) -> str:
        """The first line of the docstring of the method's module."""
        return (importlib.import_module(self[name].__module__).__doc__ or self[name].__doc__ or name).splitlines()[0]

    def plugin(self, name):
        """The absolute path of the file that a registered method is from; None for those of tf2gan."""
        if name not in self._registered:
            return None
        file = getattr(sys.modules.get(self._registered[name].__module__), "__file__", None)
        return file and os.path.abspath(file)

    def register(self, name, gan_class):
        """Makes a class a method of this name. Raises UserError for a name that is taken, or what is no method."""
        if name in _BUILT_IN:
            raise errors.UserError(f"register {name!r}: is a method of tf2gan's own; choose another name")
        for attribute in ("Config", "presets", "abilities", "train_step"):
            if not hasattr(gan_class, attribute):
                raise errors.UserError(f"register {name!r}: {gan_class!r} is no method: it has no {attribute}; needed: "
                                       "a subclass of tf2gan.gans.base.GAN")
        if not gan_class.presets:
            raise errors.UserError(f"register {name!r}: {gan_class.__name__} has no presets; needed: at least one, "
                                   "{name: Config}")
        self._registered[name] = gan_class

    def unregister(self, name):
        """Takes a registered method away again."""
        del self._registered[name]


GANS = Methods()
