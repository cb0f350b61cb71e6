"""Data sets that are drawn on this machine; importing this package registers their builders with TFDS."""
from tf2gan.data.synthetic.apple2orange import SyntheticApple2orange, SyntheticConfig, render_scene
from tf2gan.data.synthetic.digits import DigitsConfig, SyntheticDigits, render_digit
from tf2gan.data.synthetic.facades import SyntheticFacades, render_facade, render_labels
from tf2gan.data.synthetic.house_numbers import SyntheticHouseNumbers, render_house_number
from tf2gan.data.synthetic.objects import SyntheticObjects, render_object
from tf2gan.data.synthetic.outlines import SyntheticOutlines, render_fruit, render_outline

__all__ = ["DigitsConfig", "SyntheticApple2orange", "SyntheticConfig", "SyntheticDigits", "SyntheticFacades",
           "SyntheticHouseNumbers", "SyntheticObjects", "SyntheticOutlines", "render_digit", "render_facade",
           "render_fruit", "render_house_number", "render_labels", "render_object", "render_outline", "render_scene"]
