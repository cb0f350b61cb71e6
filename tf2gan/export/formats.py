"""Other formats of an export, beside its SavedModel: VERSION/onnx/, VERSION/tflite/, VERSION/web/, complete or absent.

A format has a file for each signature that takes and gives numbers: `latents`, `classify`, `a2b`, `b2a`. Each is
compared with the SavedModel when it is made, and what was found is in the model card.
"""
import os
import pathlib
import shutil
import uuid
from typing import Dict, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from tf2gan.core import files, quiet, savedmodel
from tf2gan.core.errors import UserError, printable, reason
from tf2gan.core.options import several
from tf2gan.data.synthetic.render import render_scene
from tf2gan.export import model_card, onnx, tflite, web
from tf2gan.models import generation, translation

SAVEDMODEL = "savedmodel"
CONVERTERS = {"onnx": onnx, "tflite": tflite, "web": web}
# Of an export, those that others can have; a page has no use for those with styles.
SIGNATURES = ("latents", "classify", "a2b", "b2a", "a2b_styled", "b2a_styled")
_EXAMPLES = 4  # inputs that a file is compared with the SavedModel on
_ODD = 2  # pixels more than those of training, so that images are padded on both sides
_MOST = 0.02  # difference from the SavedModel; weights in 8 bits may differ by more, and the card says by how much


class Converted(NamedTuple):
    """A signature to convert.

    `function` takes tensors by the names of `inputs`, and returns them by those of `outputs`. `meanings`: {name: text}
    of all of them. In ONNX, an input and an output cannot have one name: what would be `images` twice is `translated`.
    """

    name: str
    function: tf.types.experimental.GenericFunction
    inputs: Dict[str, tf.TensorSpec]
    outputs: tuple
    meanings: Dict[str, str]


class Options(NamedTuple):
    """What formats can be asked for."""

    image_size: Optional[int] = None  # fixed pixels a side of translators; None: any size
    tflite_weights: str = "float32"  # comma-separated, of `tflite.KINDS`


def parsed(text, new, where=None) -> tuple:
    """The names of CONVERTERS in a comma-separated list, without repetitions.

    Args:
        text: what was asked for.
        new: whether a version is being made, which is a SavedModel first.
        where: otherwise the export that exists, for messages.

    Raises UserError for an unknown name, for a new version that is no SavedModel, and for an old one that is one.
    """
    names = several("--format", text, (SAVEDMODEL, *CONVERTERS))
    if new and SAVEDMODEL not in names:
        raise UserError(f"--format {text}: a version is a SavedModel first; possible: {SAVEDMODEL},{text}, or --from, "
                        "an export that exists")
    if not new and SAVEDMODEL in names:
        raise UserError(f"--format {text}: {printable(where)} is a SavedModel already; possible: "
                        f"{','.join(CONVERTERS)}")
    return tuple(name for name in names if name != SAVEDMODEL)


def check(names, options):
    """Raises UserError for options that the formats `names` do not have, and if their converters are not installed."""
    for name, converter in CONVERTERS.items():
        converter.check(options, wanted=name in names)
    if options.image_size is not None and options.image_size < 1:
        raise UserError(f"--image-size {options.image_size}: must be at least 1")


def folder_of(path, names):
    """The pathlib.Path of the version at `path`, to which formats `names` can be added.

    Raises UserError if it is no export, or if it has one of them.
    """
    folder = savedmodel.find(path)
    card = generation.card_of_savedmodel(folder)
    missing = {"name", "version", "signatures"} - set(card if isinstance(card, dict) else ())
    if missing:
        raise UserError(f"{printable(folder)}: its model_card.json is damaged: it lacks {', '.join(sorted(missing))}")
    for name in names:
        if os.path.lexists(folder / name):
            raise UserError(f"{printable(folder / name)} exists already, and is not replaced; remove it first")
    files.check_writable(folder)
    return folder


def add(folder, names, options) -> dict:
    """Adds formats to the version in `folder`; returns {path of a file, relative to it: its entry in the card}.

    Args:
        folder: from `folder_of`, or of a new export.
        names: of CONVERTERS.
        options: `Options`, or what has the same fields.

    A failure leaves the formats that are complete. Raises UserError for an image size that the model does not take.
    """
    folder = pathlib.Path(folder)
    card, loaded = generation.card_of_savedmodel(folder), savedmodel.load(folder)
    if options.image_size is not None and not card.get("directions"):
        raise UserError(f"--image-size {options.image_size}: is for models that translate, and {card['name']} does not")
    wanted = [(signature, _compared(signature, loaded, card))
              for signature in _signatures(card, loaded, options.image_size)]
    made = {}
    for name in names:
        temporary = folder / f".{name}.{uuid.uuid4().hex}.tmp"
        try:
            temporary.mkdir()
            entries = {}
            for signature, examples in wanted:
                if CONVERTERS[name] is web and "styles" in signature.inputs:
                    continue
                entries.update(_converted(name, signature, examples, loaded, card, temporary, options))
            if CONVERTERS[name] is web:
                (temporary / web.PAGE).write_text(web.page_of(entries, loaded, card, options), encoding="utf-8")
            os.rename(temporary, folder / name)
        except OSError as error:
            raise UserError(f"cannot write {printable(folder / name)}: {reason(error)}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        entries = {f"{name}/{file}": entry for file, entry in entries.items()}
        made.update(entries)
        card = {**card, "formats": {**card.get("formats", {}), **entries}}
        model_card.update(folder, card, section(card["formats"]))
    return made


def _signatures(card, loaded, image_size):
    """A `Converted` for each signature of the export that others can have."""
    for name in SIGNATURES:
        if name not in loaded.signatures:
            continue
        signature = loaded.signatures[name]
        specs = {key: _spec(key, spec, name, card, image_size)
                 for key, spec in signature.structured_input_signature[1].items()}
        outputs = {key: "translated" if key in specs else key for key in signature.structured_outputs}
        texts = card["signatures"][name]

        @tf.function(autograph=False)
        def function(signature=signature, outputs=outputs, **inputs):
            return {outputs[key]: value for key, value in signature(**inputs).items()}

        yield Converted(name, function, specs, tuple(outputs.values()),
                        {**texts["inputs"], **{outputs[key]: text for key, text in texts["outputs"].items()}})


def _spec(key, spec, name, card, image_size):
    shape = spec.shape.as_list()
    if image_size is not None and key == "images":
        multiple, least = card["size_multiple"], card["size_minimum"]
        if image_size % multiple or image_size < least:
            raise UserError(f"--image-size {image_size}: this model takes multiples of {multiple} from {least} on")
        shape = [shape[0], image_size, image_size, shape[3]]
    return tf.TensorSpec(shape, spec.dtype, name=key)


def _compared(signature, loaded, card):
    """[(inputs, what the SavedModel makes of them)] that files are compared on, both {name: array}."""
    return [tuple({key: value.numpy() for key, value in part.items()} for part in (feed, signature.function(**feed)))
            for feed in example_inputs(signature.inputs, loaded, card)]


def _converted(name, signature, examples, loaded, card, folder, options):
    """Writes the files of a signature; {file: its entry in the card}. `examples`: from `_compared`."""
    entries = {}
    with quiet.captured():  # converters tell every node that they change
        made = CONVERTERS[name].convert(signature, loaded, card, options)
    for file, (content, how) in made.items():
        (folder / file).write_bytes(content)
        try:
            differences = [_difference(expected, CONVERTERS[name].run(content, feed)) for feed, expected in examples]
        except (RuntimeError, ValueError) as error:
            raise UserError(f"--format {name}: {signature.name} was converted, but does not run: {reason(error)}; "
                            "possible: other formats") from error
        if len(examples) > 1 and not differences[1] <= _MOST + 2.0 * differences[0]:
            raise UserError(f"--format {name}: {signature.name} differs by {differences[1]:.2g} at sizes at which "
                            "images are padded, as exports of older versions do: export the run again, or give "
                            "--image-size")
        if not np.max(differences) <= (np.inf if how.get("weights") == "int8" else _MOST):
            raise UserError(f"--format {name}: {signature.name} differs from the SavedModel by "
                            f"{np.max(differences):.2g} of 1: this version of the converter makes another function "
                            "of it; possible: other formats")
        entries[file] = {
            "signature": signature.name, **how,
            "inputs": {key: {"shape": spec.shape.as_list(), "type": spec.dtype.name, "meaning": signature.meanings[key]}
                       for key, spec in signature.inputs.items()},
            "outputs": {key: signature.meanings[key] for key in signature.outputs},
            "bytes": len(content), "difference": max(differences)}
    return entries


def _difference(expected, found):
    """The largest difference of numbers; labels, which are whole, are left out."""
    differences = [np.abs(found[key].astype(np.float64) - value).max() for key, value in expected.items()
                   if value.dtype.kind == "f"]
    return float(np.max(differences))  # NaN if there is one


def example_inputs(specs, loaded, card) -> list:
    """[{name: tensor}]: the first latents or styles of seed 0, labels in turn, pictures that are drawn here.

    Where sizes are open, pictures of a second size follow, which a network does not take as they are.
    """
    found = {}
    for name, spec in specs.items():
        if name == "latents":
            found[name] = loaded.signatures["draw"](num=tf.constant(_EXAMPLES), seed=tf.constant(0, tf.int64),
                                                    truncation=tf.constant(np.inf))["latents"]
        elif name == "styles":
            found[name] = tf.constant(translation.styles_of(loaded.signatures, _EXAMPLES, 0))
        elif name == "labels":
            found[name] = tf.range(_EXAMPLES, dtype=spec.dtype) % card["num_classes"]
        else:
            found[name] = _drawn(spec.shape.as_list(), card)
    images = specs.get("images")
    if images is None or None not in images.shape[1:3]:
        return [found]
    height, width = card["image_size"]
    return [found, {**found, "images": _drawn([None, height + _ODD, width + _ODD, 3], card)}]


def _drawn(shape, card):
    """Fruit on tables, float32 [_EXAMPLES, height, width, channels] in [0, 1]."""
    height, width = (size or own for size, own in zip(shape[1:3], card["image_size"]))
    pictures = np.stack([render_scene(f"test{'AB'[i % 2]}", i, max(height, width, 64))[0] for i in range(_EXAMPLES)])
    pictures = tf.image.resize(pictures.astype(np.float32) / 255.0, [height, width], antialias=True)
    return tf.reduce_mean(pictures, axis=-1, keepdims=True) if shape[3] == 1 else pictures


def lines(made) -> list:
    """What was made, for people: a line a file, of a card's entries {file: entry}."""
    return [f"  {file}: {_size(entry)}, {_closeness(entry)}" for file, entry in made.items()]


def _size(entry):
    return f"{entry['bytes'] / 1e6:.1f} MB"


def _closeness(entry):
    if "probabilities" in entry["outputs"]:
        return f"its probabilities differ from the SavedModel's by up to {entry['difference']:.1g}"
    return f"differs from the SavedModel by up to {255.0 * entry['difference']:.1g} of 255 grey levels"


def section(entries) -> str:
    """The section of the model card for people, from the card's "formats", {file: entry}."""
    rows, loading = [], {}
    for file, entry in entries.items():
        fields = [f"`{name}`: {part['meaning']}" + ("" if None in part["shape"][1:] or name in ("latents", "labels")
                                                     else f", here {_shape(part['shape'])}")
                  for name, part in entry["inputs"].items()]
        gives = "; ".join(f"`{name}`: {meaning}" for name, meaning in entry["outputs"].items())
        rows.append(f"| `{file}` | {_size(entry)} | {'; '.join(fields)} | {gives} | {_closeness(entry)} |")
        loading.setdefault(file.split("/")[0], CONVERTERS[file.split("/")[0]].loading(file, entry))
    blocks = "\n\n".join(f"```python\n{text}\n```" for text in loading.values())
    return f"""## Other formats

Each was compared with the SavedModel when it was made, on {_EXAMPLES} inputs.

| file | size | takes | gives | |
|---|---|---|---|---|
{chr(10).join(rows)}

From this folder, for arrays of those types:

{blocks}
"""


def _shape(shape):
    return "x".join("any" if size is None else str(size) for size in shape)
