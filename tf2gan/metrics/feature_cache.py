"""Arrays that an extractor computed from real images, cached between runs under their complete protocol."""
import hashlib
import io
import json
import os

import numpy as np

from tf2gan.metrics import cache


def cached(key, make, cache_dir=None) -> dict:
    """The {name: array} for `key`: from the cache, or else from `make`, and then cached.

    Args:
        key: JSON-able dict of all that the arrays depend on. "dataset" must be in it, and names the entry. The key is
            stored with the arrays and compared as a whole, so that they never serve another protocol.
        make: called without arguments if there is no entry -> {name: array of numbers, of any shape}.
        cache_dir: default TF2GAN_CACHE_DIR, or ~/.cache/tf2gan. The entry is features/DATASET-HASH in it.

    Raises UserError if the cache cannot be written (before `make` is called), or its entry is damaged; TypeError or
    ValueError for unsuitable keys and arrays.
    """
    key = json.loads(json.dumps(key, allow_nan=False))  # as it will be read: JSON turns tuples into lists
    folder = cache.entry("features", key["dataset"], key, cache_dir)
    if not os.path.lexists(folder):
        cache.check_writable(folder)
        arrays, packed = {name: np.asarray(array) for name, array in make().items()}, io.BytesIO()
        for name, array in arrays.items():
            if array.dtype.hasobject:
                raise TypeError(f"array {name!r} holds objects, not numbers")
        np.savez(packed, **arrays)  # not compressed: features hardly shrink, and it takes seconds
        packed = packed.getvalue()
        cache.write(folder, {"arrays.npz": packed, "info.json": json.dumps(
            {"key": key, "sha256": hashlib.sha256(packed).hexdigest()}, indent=2) + "\n"})
    return _read(folder, key)  # also what was just written, so that the first use equals all later ones


def _read(folder, key):
    with cache.reading(folder, "cache entry", "compute it anew"):
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        if info["key"] != key:
            raise ValueError("info.json is that of another protocol")
        packed = (folder / "arrays.npz").read_bytes()
        if hashlib.sha256(packed).hexdigest() != info["sha256"]:
            raise ValueError("arrays.npz does not have the hash that info.json gives")
        with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
            return dict(arrays)
