"""The model card of an exported version: README.md for people, model_card.json for programs.

It describes a GAN that translates (the card has "directions"), or one that generates from latents, which may also
classify (the card has "classes").
"""
import dataclasses
import datetime
import json
import os
import shlex

from tf2gan.core import files
from tf2gan.core.versions import versions
from tf2gan.data import labelled
from tf2gan.models import classification, generation
from tf2gan.runs import run_folder

# Both files are in the version's folder. There, TensorFlow Serving opens only the files it knows by name (TensorFlow
# itself adds others, such as fingerprint.pb), and code hosts display a README.md.
_TEXT = """# {name}, version {version}

{purpose}

{about}

## Training

| | |
|---|---|
| model | {model} |
| data | {data}{data_sizes} |
| command | `{command}` |
| images seen{seen_of} | {images_seen} |
{growth}| steps | {steps} |
| epochs | {epochs} |
| seed | {seed} |
| weights | {weights} |
| trained with | {trained_with} |
| exported with | {exported_with} |

License of the data: {data_license}; it may also bind what you do with this model.
{evaluation}
## Use

Plain TensorFlow is enough. From the folder that `{name}` is in:

```python
import tensorflow as tf

model = tf.saved_model.load("{name}/{version}")
{example}
```

TensorFlow Serving, over REST: `POST /v1/models/{name}:predict` with
{request}.

| signature | takes | gives |
|---|---|---|
{signature_rows}

{remarks}

## Configuration

```json
{config}
```
"""

# What differs between kinds of GANs: {field of _TEXT: template}.
_TRANSLATION = {
    "purpose": "Translates images {ways}: {article} {model} trained on `{data}`.",
    "about": """\
Trained on images of {width}x{height} pixels; it does best at sizes near that. Any size is accepted: images are mirrored
at their edges up to a multiple of {size_multiple} pixels (at least {size_minimum}), translated as a whole, and cropped
back.{of_styles}""",
    "seen_of": ", of each domain",
    "example": """\
image = tf.io.decode_image(tf.io.read_file("photo.jpg"), channels=3, expand_animations=False)
images = tf.cast(image, tf.float32)[tf.newaxis] / 255  # [batch, height, width, 3] in [0, 1]
translated = model.signatures["{direction}"](images=images)["images"][0]
tf.io.write_file("translated.png", tf.io.encode_png(tf.cast(tf.round(translated * 255), tf.uint8)))""",
    "request": """\
`{{"signature_name": "{direction}_bytes", "instances": [{{"image_bytes": {{"b64": "..."}}}}]}}`""",
    "remarks": """\
Float values outside [0, 1] are clipped. Image files may be JPEG, PNG, GIF (the first frame) or BMP, of different sizes
in one batch; the answers are PNG. Not handled there: WebP and other formats, turning a photograph as its EXIF data
says, and transparency, which is dropped. `tools/translate.py` of tf2gan handles all three.""",
}
_OF_STYLES = """

An image has many translations, one for each style, {style_size} numbers from N(0, 1). `{direction}` takes the first
style of seed 0 for all images, `{direction}_styled` the given ones, which `styles` draws. `{direction}_style_of` finds
the style of a picture such as come out, given its translation back."""
_GENERATION = {
    "purpose": "Generates images{of_classes}: a {model} trained on `{data}`.",
    "about": """\
An image is {width}x{height} pixels, {colour}. It is made from a latent, {latent_size} numbers that are each from
{distribution}. {classes}""",
    "seen_of": "",
    "example": """\
latents = {draw}
{labels_line}images = model.signatures["latents"](latents=latents{labels_argument})["images"]  # [4, {shape}] in [0, 1]
for i, image in enumerate(images):
    tf.io.write_file(f"generated{{i}}.png", tf.io.encode_png(tf.cast(tf.round(image * 255), tf.uint8)))""",
    "request": """\
`{{"signature_name": "seed_bytes", "inputs": {{"num": 4, "seed": 0{label_field}}}}}`, which answers with PNG files as
`{{"outputs": [{{"b64": "..."}}, ...]}}`""",
    "remarks": """\
Image i of a seed is always the same, however many are asked for. `draw` gives the latents of a seed, none of them
larger in size than `truncation`: {truncation}.
The smaller it is, the more typical and the more alike are the images; a large number is no truncation.
`tools/sample.py` of tf2gan makes grids, class folders and latent walks.""",
}
_ALSO = """The model also generates such images, from a latent, {latent_size} numbers that are each from
{distribution}; it was trained to classify, and they are a means to that."""
_CLASSIFICATION = {
    "purpose": "Classifies images into {num_names} classes: "
               "{article} {model} trained on `{data}` with {which_labels}.",
    "about": """\
Labels count the classes, from 0 on: {names}.

An image is {width}x{height} pixels, {colour}; image files of any size are accepted, resized to cover that, antialiased,
and cropped in the middle.{also}""",
    "seen_of": "",
    "example": """\
names = {names_literal}
files = tf.stack([tf.io.read_file("photo.jpg")])  # any number
answer = model.signatures["classify_bytes"](image_bytes=files)
for label, probabilities in zip(answer["labels"], answer["probabilities"]):
    print(names[label], float(probabilities[label]))""",
    "request": """\
`{{"signature_name": "classify_bytes", "instances": [{{"image_bytes": {{"b64": "..."}}}}]}}`, which answers with
`{{"predictions": [{{"probabilities": [...], "labels": 0}}]}}`""",
    "remarks": """\
Image files may be JPEG, PNG, GIF (the first frame) or BMP, of different sizes in one batch. Not handled there: WebP and
other formats, turning a photograph as its EXIF data says, and transparency, which is dropped. `tools/classify.py` of
tf2gan handles all three. `classify` takes pixels of the size above; values outside [0, 1] are
clipped.{of_generation}""",
}

_EVALUATION = """
## Figures

By `tools/evaluate.py`:

```
{table}
```

```json
{protocol}
```
"""


def _published(path):
    """The last part of a path that leads out of the working directory, since cards are for others to read."""
    outside = os.path.isabs(path) or path.startswith(os.pardir + os.sep)
    return os.path.basename(path.rstrip(os.sep)) if outside else path


def without_folders(command):
    """The command without the folders of the machine that trained, which do not affect results."""
    if command is None:
        return None
    kept = []
    for word in shlex.split(command):
        if kept and kept[-1] in ("--run-dir", "--data-dir"):
            kept.pop()
        elif not word.startswith(("--run-dir=", "--data-dir=")):
            flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
            kept.append(flag + equals + _published(value))
    return shlex.join(kept)


def describe(gan, name, version, signatures, record, variables=()):
    """The card as a dict that json can write.

    Args:
        gan: the GAN that is exported.
        name, version: of the export, str and int.
        signatures: {signature name: {"inputs": {name: text}, "outputs": {name: text}}}.
        record: the run's config.json as a dict; entries that it lacks are null in the card.
        variables: for each of the SavedModel's, its network and its index there, for --init-from.
    """
    config = gan.config
    images_seen = int(gan.images_seen.numpy())
    epoch_images = run_folder.epoch_images(record.get("data") or {})
    dataset = _published(config.dataset)
    return {
        "name": name,
        "version": version,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": record.get("model", type(gan).__name__.lower()),
        "preset": record.get("preset"),
        **_own(gan),
        "data": dataset,
        "data_sizes": record.get("data"),
        "data_license": record.get("data_license") or "see the data set's own terms",
        "command": without_folders(record.get("command")),
        "images_seen": images_seen,
        "growth": config.plan(images_seen) or None,
        "steps": config.steps_in(images_seen),
        "epochs": round(images_seen / epoch_images, 2) if epoch_images else None,
        "seed": config.seed,
        "weights": _weights(gan),
        "image_size": list(config.image_shape),
        "trained_with": record.get("versions"),
        "exported_with": versions(),
        "signatures": signatures,
        "evaluation": record.get("evaluation"),
        "config": {**dataclasses.asdict(config), "dataset": dataset,
                   **({"target": _published(config.target)} if config.adapts else {}),
                   "init_from": config.init_from and _published(config.init_from)},
        "variables": list(variables),
    }


def _weights(gan):
    decays = [f"{name} {value}" for name, value in vars(gan.config).items() if name.endswith("ema_decay")]
    return f"averaged over training ({', '.join(decays)})" if gan.averages else "as trained"


def _own(gan):
    """The entries that only cards of this kind of GAN have."""
    if gan.abilities.translates:
        networks = [gan.translating_network(direction) for direction in gan.abilities.directions]
        return {"directions": list(gan.abilities.directions),
                **({"style_size": gan.config.style_size} if gan.abilities.styles else {}),
                "size_multiple": max(network.size_multiple for network in networks),
                "size_minimum": max(network.size_minimum for network in networks)}
    config = gan.config
    if config.adapts:
        return {"image_shape": list(classification.image_shape(gan)), "classes": list(classification.class_names(gan)),
                "target": _published(config.target)}
    found = dataclasses.asdict(generation.traits(gan))
    if gan.abilities.classifies:
        found.update(classes=list(classification.class_names(gan)), num_labels=config.num_labels,  # None: all
                     label_seed=labelled.seed_of(config))
    return found


def write(folder, gan, name, version, signatures, record, variables=()):
    """Writes README.md and model_card.json into `folder`, a pathlib.Path; arguments as for `describe`."""
    card = describe(gan, name, version, signatures, record, variables)
    (folder / "model_card.json").write_text(json.dumps(card, indent=2, default=str) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(text(card), encoding="utf-8")


def update(folder, card, section):
    """Replaces model_card.json by `card`, and in README.md the section that begins with the first line of `section`."""
    readme = folder / "README.md"
    before, rest = _parted(readme.read_text(encoding="utf-8"), section.splitlines()[0])
    files.write_atomically(readme, f"{before.rstrip()}\n\n{section}{rest and chr(10) + rest}")
    files.write_atomically(folder / "model_card.json", json.dumps(card, indent=2) + "\n")


def _parted(text, title):
    """(what stands before a section, what stands after it); a new one has its place before "## Configuration"."""
    if f"\n{title}\n" in text:
        before, section = text.split(f"\n{title}\n", 1)
        return before, "".join(section.partition("\n## ")[1:]).lstrip("\n")
    before, configuration, rest = text.partition("\n## Configuration\n")
    return before, (configuration + rest).lstrip("\n")


def text(card):
    """The card for people, in Markdown, from what `describe` returns."""
    known = {key: "not recorded" if value is None else value for key, value in card.items()}
    known["height"], known["width"] = card["image_size"]
    known["trained_with"], known["exported_with"] = (
        ", ".join(f"{package} {number}" for package, number in (card[key] or {}).items()) or "not recorded"
        for key in ("trained_with", "exported_with"))
    known["data_sizes"] = "".join(f"; {split} {size}" for split, size in (card["data_sizes"] or {}).items())
    can = generation.abilities_of_card(card)
    templates, words_of = next(kind for ability, *kind in _KINDS if getattr(can, ability))
    words = {**known, **words_of(card)}
    rows = [f"| `{signature}` | {_fields(spec['inputs'])} | {_fields(spec['outputs'])} |"
            for signature, spec in card["signatures"].items()]
    return _TEXT.format(**{
        **known,
        **{field: template.format(**words) for field, template in templates.items()},
        "command": known["command"].replace("|", "\\|"),  # escaped for a table in Markdown
        "growth": f"| growth | {card['growth']} |\n" if card.get("growth") else "",
        "evaluation": _evaluation(card["evaluation"]) if card["evaluation"] else "",
        "signature_rows": "\n".join(rows),
        "config": json.dumps(card["config"], indent=2, default=str),
    })


def _translation_words(card):
    meaning = {"a2b": "from A to B", "b2a": "from B to A"}
    direction = card["directions"][0]
    return {"ways": " and ".join(meaning.get(way, way) for way in card["directions"]), "direction": direction,
            "article": "an" if card["model"].startswith("a") else "a",
            "of_styles": _OF_STYLES.format(direction=direction, **card) if card.get("style_size") else ""}


def _generation_words(card):
    size, num_classes = card["latent_size"], card["num_classes"]
    normal = card["latent_distribution"] == "normal"
    words = {"shape": ", ".join(map(str, card["image_shape"])),
             "colour": "grey" if card["image_shape"][-1] == 1 else "in colour",
             "distribution": "N(0, 1)" if normal else "U(-1, 1)",
             "draw": f"tf.random.normal([4, {size}])" if normal else f"tf.random.uniform([4, {size}], -1, 1)",
             "truncation": "they are from N(0, 1) cut off there" if normal
             else "they are from U(-truncation, truncation), with a truncation of at most 1"}
    if num_classes is None:
        return {**words, "of_classes": "", "classes": "There are no classes to choose from.", "labels_line": "",
                "labels_argument": "", "label_field": ""}
    names = f", from 0 on: {', '.join(card['class_names'])}" if card["class_names"] else " without names"
    return {**words, "of_classes": " of a class that is asked for",
            "classes": f"It shows what its label says, one of {num_classes} classes{names}.",
            "labels_line": f"labels = tf.range(4, dtype=tf.int64) % {num_classes}\n",
            "labels_argument": ", labels=labels", "label_field": f', "label": {generation.IN_TURN}'}


def _classification_words(card):
    names = card["classes"]
    words = {"num_names": len(names), "names": ", ".join(names), "names_literal": json.dumps(names)}
    if card.get("target"):
        return {**words, "colour": "in colour", "article": "a", "also": "", "of_generation": "",
                "which_labels": f"its labels, adapted to `{card['target']}`, whose labels were not used"}
    which = ("all labels" if card["num_labels"] is None
             else f"{card['num_labels']} labels (those of label seed {card['label_seed']})")
    known = {**card, **_generation_words(card)}
    return {**known, **words, "article": "an", "which_labels": which, "also": " " + _ALSO.format(**known),
            "of_generation": f"\n\nOf the signatures that generate images:\n\n{_GENERATION['remarks'].format(**known)}"}


# (field of Abilities, templates of the card, function that returns their words); the model's first ability counts.
_KINDS = (("translates", _TRANSLATION, _translation_words), ("classifies", _CLASSIFICATION, _classification_words),
          ("samples", _GENERATION, _generation_words))


def _evaluation(result):
    """The section "Figures", from the record of an evaluation."""
    return _EVALUATION.format(table=result["table"], protocol=json.dumps(result["protocol"], indent=2))


def _fields(fields):
    return "; ".join(f"`{name}`: {meaning}" for name, meaning in fields.items())
