"""Exports as a page for browsers: index.html, which opens from disk or from any static host, and the models beside it.

A model is ONNX in a script, since a page that is opened from disk may load nothing else. ONNX Runtime Web computes. It
was chosen because it gives the numbers of the SavedModel and takes what `export.onnx` makes; its code packs to 3.7 MB.
"""
import base64

from tf2gan.core import terminal
from tf2gan.export import onnx
from tf2gan.latent_space import strongest
from tf2gan.models import generation
from tf2gan.webpage import page

PAGE = "index.html"


def check(options, wanted):
    """Raises UserError if a page is `wanted` and a package for ONNX is missing."""
    onnx.check(options, wanted, "web")


def convert(signature, loaded, card, options) -> dict:
    """{file: (its bytes, what the card says of it)} of a `formats.Converted`."""
    (content, how), = onnx.convert(signature, loaded, card, options).values()
    script = page.script_of(signature.name, content).encode()
    return {f"{signature.name}.js": (script, {**how, "onnx_bytes": len(content)})}


def run(content, inputs) -> dict:
    """{name: array} that ONNX Runtime makes of {name: array}; in a browser it is another build of the same."""
    return onnx.run(base64.b64decode(content.split(b'"')[3]), inputs)


def page_of(entries, loaded, card, options) -> str:
    """The page of an export whose models are in `entries`, {file: its entry in the card}."""
    files = {entry["signature"]: {"file": file, "bytes": entry["onnx_bytes"], "script_bytes": entry["bytes"]}
             for file, entry in entries.items()}
    strong = ()
    if "latents" in files:
        try:
            strong = strongest.directions(loaded.signatures["latents"], generation.traits_of_card(card))
        except LookupError:  # a gradient of TensorFlow's own that was not saved: of networks that use such an operation
            terminal.say("warning: the page has no sliders, since the model was exported without all of its gradients; "
                         "an export of the run by this version may have them")
    return page.html(page.described(card, strong, options.image_size, files))


def loading(file, entry) -> str:
    """How a page is opened, for the model card: a comment, since no Python is needed."""
    return "# Open web/index.html in a browser, from disk or from any static host; keep the folder together."
