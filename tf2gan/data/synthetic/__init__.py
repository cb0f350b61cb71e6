"""Data sets that are drawn on this machine; importing this package registers their builders with TFDS."""
from tf2gan.data.synthetic.apple2orange import SyntheticApple2orange, SyntheticConfig, config_for, render_scene

__all__ = ["SyntheticApple2orange", "SyntheticConfig", "config_for", "render_scene"]
