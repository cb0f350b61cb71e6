"""Reads the arrays of a file that PyTorch's torch.save wrote before version 1.6, without PyTorch."""
import collections
import pickle

import numpy as np

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8",
             "IntStorage": "<i4", "ByteStorage": "u1"}


def read(file) -> dict:
    """{name: np.ndarray} of a state_dict from an open binary file.

    Such a file holds pickles, which can run any code; here they can make nothing but names and arrays. Raises
    ValueError for any other file, and for one that is cut short.
    """
    try:
        if _Names(file).load() != _MAGIC or _Names(file).load() != _PROTOCOL:
            raise ValueError("not a file of torch.save, in its format before 1.6")
        _Names(file).load()  # of the machine that wrote it; storages are little-endian everywhere
        described = _Names(file).load()
        keys = _Names(file).load()
        storages = {}
        kinds = {key: dtype for _, (dtype, key), *_ in described.values()}
        for key in keys:
            num = int(np.frombuffer(file.read(8), "<i8")[0])
            values = np.frombuffer(file.read(num * np.dtype(kinds[key]).itemsize), kinds[key])
            if len(values) != num:
                raise ValueError("the file is cut short")
            storages[key] = values
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"not a state_dict of torch.save: {error}") from error
    return {name: _array(storages[key], *place) for name, (_, (_, key), *place) in described.items()}


def _array(storage, offset, shape, strides):
    size = 1 + sum((length - 1) * stride for length, stride in zip(shape, strides)) if all(shape) else 0
    part = storage[offset:offset + size]
    if len(part) != size:
        raise ValueError("an array lies outside of its storage")
    strides = [stride * storage.itemsize for stride in strides]
    return np.array(np.lib.stride_tricks.as_strided(part, shape, strides, writeable=False))


def _rebuilt(storage, offset, shape, strides, *unused):
    return "array", storage, offset, shape, strides


class _Names(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")

    def persistent_load(self, reference):
        kind, dtype, key = reference[:3]
        if kind != "storage" or dtype not in _STORAGES.values():
            raise pickle.UnpicklingError(f"it refers to a {kind}")
        return dtype, key
