"""A page that shows what a model does: new samples, sliders and walks, pictures translated or read.

The page is one file with its style and code in it, and asks no other host for anything. It computes in the browser, by
ONNX Runtime Web, which lies in `runtime/` (see its README), or on the server that sent it.
"""
import base64
import json
import math
import pathlib
import re
import zlib

import jinja2
import numpy as np
from markupsafe import Markup

from tf2gan.core import images
from tf2gan.data.synthetic.facades import render_facade, render_labels
from tf2gan.data.synthetic.render import render_scene

_HERE = pathlib.Path(__file__).parent
RUNTIME = {"runtime-script": "ort.wasm.bundle.min.mjs.gz", "runtime-code": "ort-wasm-simd-threaded.wasm.gz"}
_SCRIPTS = ("latents.js", "engines.js", "page.js")
_SIZES = (64, 96, 128, 192, 256, 384, 512)  # pixels of the longer side that can be chosen for a translation
_DRAWN = (2, 1, 0)  # pictures for each direction, of those of the test split
_REACH = 4.0  # how far a slider goes along a direction of length 1, for latents of N(0, 1)


def described(card, strong=(), image_size=None, files=None, address=None, most_pixels=None) -> dict:
    """What the page needs to know of a model, for JSON.

    Args:
        card: the model card of an export.
        strong: directions in the space of latents, float [num, latent_size], for sliders.
        image_size: pixels a side that translators are fixed to; None: any size.
        files: {signature: {"file", "bytes", "script_bytes"}} beside the page, to compute in the browser.
        address: of `predict` on the server, to compute there. Either this or `files`.
        most_pixels: of a picture that can be translated; None: as many as fit into memory.
    """
    shape = card["image_size"]
    directions = tuple(card.get("directions") or ())
    own = max(shape)
    names = card.get("classes") or ()
    return {
        "name": card["name"], "about": _about(card), "footer": _footer(card, address), "files": files,
        "address": address, "default_size": image_size or own, "fixed_size": [image_size] * 2 if image_size else None,
        "sizes": [size for size in sorted({*_SIZES, own}) if size == own or size ** 2 <= (most_pixels or math.inf)],
        "translations": [
            {"signature": name, "label": _label(name, card["data"])} for name in directions],
        "examples": [example for name in directions for example in _examples(card["data"], name, image_size or own)],
        "latent_size": card.get("latent_size"), "latent_distribution": card.get("latent_distribution"),
        "num_classes": card.get("num_classes"), "class_names": card.get("class_names"),
        "purpose": zlib.crc32(b"latents") & 0x7FFFFFFF,  # as core.seeds.fold
        "strong": [[round(float(value), 6) for value in direction] for direction in strong],
        "reach": _REACH if card.get("latent_distribution") == "normal" else _REACH / 3 ** 0.5,
        "classifies": bool(names), "classes": [str(name) for name in names],
        "classify_shape": [*shape, card["image_shape"][-1]] if names else None}


def html(model) -> str:
    """The page of a model from `described`."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template, text = environment.get_template("page.html"), lambda name: (_HERE / "templates" / name).read_text("utf-8")
    inside = json.dumps(model).replace("<", "\\u003c")  # a name could end the script
    runtime = {} if model["address"] else {
        name: Markup(base64.b64encode((_HERE / "runtime" / file).read_bytes()).decode())
        for name, file in RUNTIME.items()}
    return template.render(model=model, model_json=Markup(inside), style=Markup(text("page.css")), runtime=runtime,
                           script=Markup("\n".join(text(name) for name in _SCRIPTS)))


def script_of(signature, content) -> str:
    """The file beside the page that holds a model, `content`: its bytes as ONNX."""
    return f'tf2ganModel("{signature}","{base64.b64encode(content).decode()}")'


def _about(card):
    what = []
    if card.get("directions"):
        what.append("translates pictures")
    if card.get("latent_size"):
        what.append("makes pictures from noise")
    if card.get("classes"):
        what.append("reads pictures")
    return (f"Version {card['version']}, {card['model']}, trained on {card['data']}: {' and '.join(what)}.")


def _footer(card, address):
    where = ("The server that sent this page computes." if address else
             "Your browser computes, with ONNX Runtime Web (MIT licence, Microsoft). No picture leaves this machine.")
    return f"{where} Terms of the training data: {card['data_license'] or 'not stated'}. Made with tf2gan."


def _label(direction, data):
    """What a direction does, for people: by names in the data's, as in apple2orange, if there are any."""
    names = re.search(r"([a-z]+)2([a-z]+)", data)
    first, second = names.groups() if names else ("A", "B")
    return f"{first} to {second}" if direction == "a2b" else f"{second} to {first}"


def _fruit(domain, index, size):
    return render_scene(f"test{domain}", index, max(size, 64))[0]


def _fronts(domain, index, size):
    return (render_labels if domain == "A" else render_facade)("test", index, size)


_DRAWERS = {"apple2orange": _fruit, "facades": _fronts}  # by what the name of the data has in it


def _examples(data, direction, size):
    """Drawn pictures of the kind that a direction takes, as PNG in data: addresses; none for other data."""
    drawer = next((drawer for part, drawer in _DRAWERS.items() if part in data), None)
    domain = "A" if direction == "a2b" else "B"
    for index in _DRAWN if drawer is not None else ():
        content = images.encode_image(np.ascontiguousarray(drawer(domain, index, size)), ".png")
        yield {"direction": direction, "title": f"drawn picture {index + 1} of {domain}",
               "picture": f"data:image/png;base64,{base64.b64encode(content).decode()}"}
