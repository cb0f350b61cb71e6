"""Extractors of features, by the names that users give them.

An extractor is a function from images, uint8 [n, height, width, channels], n > 0, to {"features": float32 [n, d]} and,
if it classifies, "probabilities", float32 [n, classes]. It processes each image independently: the batch size changes
only rounding. Its attributes: `name` (a part of the names of metrics), `hash` (SHA-256 of its weights or files),
`info` (for JSON: what a metric's protocol says about it), `num_features` (None if unknown).
"""
import os

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError, did_you_mean
from tf2gan.metrics import imagenet, inception
from tf2gan.metrics.saved_features import SavedModelFeatures

FORMS = "classifier, imagenet, inception[:PATH or https://...], savedmodel:PATH[:SIGNATURE[:OUTPUT]]"


def check(spec):
    """Raises UserError for a spec that names no extractor, or one that is not available. Loads nothing."""
    kind, rest = _parsed(spec)
    if kind == "inception":
        inception.check(rest)
    elif kind == "imagenet":
        imagenet.check()
    elif kind == "savedmodel":
        savedmodel.find(rest[0])


def make(spec, classifier):
    """The extractor of a spec: `classifier`, `imagenet`, `inception:PATH`, `savedmodel:PATH:SIGNATURE:OUTPUT` ...

    Args:
        classifier: function without arguments that returns the extractor for `classifier`, which depends on the data.

    Raises UserError like `check`, and if the model that it loads turns out to be of another kind.
    """
    kind, rest = _parsed(spec)
    if kind == "classifier":
        return classifier()
    if kind == "imagenet":
        return imagenet.made()
    return inception.Inception(rest) if kind == "inception" else SavedModelFeatures(*rest)


def _parsed(spec):
    """(kind, None), ("inception", where or None) or ("savedmodel", (path, signature, output))."""
    kind, colon, rest = spec.partition(":")
    kinds, alone = ("classifier", "imagenet", "inception", "savedmodel"), ("classifier", "imagenet")
    if kind not in kinds or (kind in alone and colon):
        hint = did_you_mean(kind, kinds, show=repr) if kind not in alone else ""
        raise UserError(f"unknown extractor {spec!r}: {hint}possible: {FORMS}")
    if (colon or kind == "savedmodel") and not rest.split(":")[0]:
        raise UserError(f"extractor {spec!r} lacks a path; possible: {FORMS}")
    if kind != "savedmodel":
        return kind, rest or None
    path, signature, output = _split(rest)
    return kind, (os.path.expanduser(path), signature or "serving_default", output or None)


def _split(rest):
    """(path, signature, output). The path may contain colons if it exists."""
    for most in range(3):
        path, *names = rest.rsplit(":", most)
        if len(names) == most and os.path.exists(os.path.expanduser(path)):
            return (path, *names, None, None)[:3]
    return (*rest.split(":", 2), None, None)[:3]
