"""The JSON of TensorFlow Serving's REST interface: `predict` in row and columnar format, metadata, and status.

Row format is {"instances": [...]}, one entry an example, answered by {"predictions": [...]}. Columnar format is
{"inputs": ...}, a whole tensor an input, answered by {"outputs": ...}. Bytes are {"b64": "..."}. If there is one input
or one output, its name may be left out, as TensorFlow Serving leaves it out of its answers.
"""
import base64
import binascii
import itertools
import json

import numpy as np
import orjson

from tf2gan.serving.errors import RequestError


_DEEPEST = 8  # dimensions of an input, for messages


def request_of(body) -> dict:
    """The JSON object in the bytes of a request. Raises RequestError if there is none."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        found = _with_infinities(body, error)
    if not isinstance(found, dict):
        raise RequestError(400, 'the body is no JSON object; needed: {"instances": [...]} or {"inputs": ...}')
    unknown = sorted(set(found) - {"signature_name", "instances", "inputs"})
    if unknown:
        raise RequestError(400, f"unknown key {unknown[0]!r}; possible: signature_name, and instances or inputs")
    if ("instances" in found) == ("inputs" in found):
        raise RequestError(400, "needed: either instances, in row format, or inputs, in columnar format")
    if not isinstance(found.get("signature_name", ""), str):
        raise RequestError(400, "signature_name: must be text")
    return found


def _with_infinities(body, error):
    """JSON with NaN or Infinity in it, which TensorFlow Serving reads. Raises RequestError for other bytes."""
    if b"NaN" in body or b"Infinity" in body:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            pass
    raise RequestError(400, f"the body is not JSON: {error}") from error


def inputs_of(request, specs) -> dict:
    """The arrays of a request by name.

    Args:
        request: from `request_of`.
        specs: {name: spec with `shape`, a list in which None stands for any size, and `dtype`, a numpy type} of the
            inputs of the signature; a dtype of object stands for bytes.

    Raises RequestError for inputs that are missing, unknown, of another type or shape, or not finite.
    """
    columns = _of_rows(request["instances"], specs) if "instances" in request else _named(request["inputs"], specs)
    _check_names(columns, specs)
    arrays = {name: _array(name, columns[name], spec) for name, spec in specs.items()}
    sizes = {name: len(array) for name, array in arrays.items() if specs[name].shape[:1] == [None]}
    if len(set(sizes.values())) > 1:
        raise RequestError(400, f"the inputs have different numbers of examples: {sizes}")
    if 0 in sizes.values():
        raise RequestError(400, "there is no example in it: needed is one or more")
    return arrays


def _of_rows(rows, specs):
    if not isinstance(rows, list) or not rows:
        raise RequestError(400, "instances: must be a list of one example or more")
    whole = [name for name, spec in specs.items() if spec.shape[:1] != [None]]
    if whole:
        raise RequestError(400, f"{', '.join(whole)}: one value for all examples, which rows cannot hold; send inputs")
    named = [_named(row, specs) for row in rows]
    for number, row in enumerate(named):
        _check_names(row, specs, f"instances[{number}]: ")
    return {name: [row[name] for row in named] for name in specs}


def _named(value, specs):
    """{name: value}, also of a value without a name, if there is one input."""
    if isinstance(value, dict) and set(value) != {"b64"}:
        return value
    if len(specs) == 1:
        return {name: value for name in specs}
    raise RequestError(400, f"the inputs need names: {', '.join(specs)}")


def _check_names(found, specs, where=""):
    for name in found:
        if name not in specs:
            raise RequestError(400, f"{where}unknown input {name!r}; possible: {', '.join(specs)}")
    for name in specs:
        if name not in found:
            raise RequestError(400, f"{where}the input {name} is missing")


def _array(name, value, spec):
    if spec.dtype == np.dtype(object):
        array = _bytes_array(name, value, len(spec.shape))
    else:
        array = _numbers(name, value, spec)
    if any(need not in (None, size) for need, size in zip(spec.shape, array.shape)):
        raise _other_shape(name, array.shape, spec)
    return array


def _numbers(name, value, spec):
    """The array of nested lists. Lists are compared before numpy sees them, which would make text of all numbers."""
    shape, level = [], [value]
    for _ in spec.shape:
        if not level or any(type(part) is not list for part in level):
            raise _other_shape(name, _shape_of(value), spec)
        if len(set(map(len, level))) > 1:
            raise RequestError(400, f"{name}: its rows are of different lengths")
        shape.append(len(level[0]))
        level = list(itertools.chain.from_iterable(level))
    types = set(map(type, level))
    if list in types:
        raise _other_shape(name, _shape_of(value), spec)
    whole = spec.dtype.kind != "f"
    if types - ({int} if whole else {int, float}):
        raise RequestError(400, f"{name}: must hold {'whole numbers' if whole else 'numbers'} only")
    try:
        with np.errstate(over="ignore"):
            array = np.array(level, spec.dtype if not whole else np.int64).reshape(shape)
    except OverflowError:
        raise _out_of_range(name, spec) from None
    if not whole:
        # What is one number for a whole request may be infinite, such as a truncation.
        if np.isnan(array).any() or (spec.shape and not np.isfinite(array).all()):
            raise RequestError(400, f"{name}: holds NaN, Infinity, or a number that is too large for {spec.dtype.name}")
        return array
    limits = np.iinfo(spec.dtype)
    if array.size and not (limits.min <= array.min() and array.max() <= limits.max):
        raise _out_of_range(name, spec)
    return array.astype(spec.dtype)


def _out_of_range(name, spec):
    return RequestError(400, f"{name}: holds a number that is out of the range of {spec.dtype.name}")


def _other_shape(name, shape, spec):
    return RequestError(400, f"{name}: has the shape {_shape(shape)}, needed is {_shape(spec.shape)}")


def _shape_of(value):
    """The shape of nested lists, by the first of each; of deep ones its beginning."""
    shape = []
    while isinstance(value, list) and len(shape) < _DEEPEST:
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def _bytes_array(name, value, rank):
    """Bytes in an object array of `rank` dimensions: nested lists are followed that deep."""
    if rank == 0:
        array = np.empty([], object)
        array[()] = _bytes(name, value)
        return array
    if not isinstance(value, list):
        value = [value] if isinstance(value, (str, dict)) else None
    if value is None or rank > 1:
        raise RequestError(400, f'{name}: must be a list of {{"b64": "..."}}')
    array = np.empty([len(value)], object)
    for index, part in enumerate(value):
        array[index] = _bytes(name, part)
    return array


def _bytes(name, value):
    if isinstance(value, str):
        return value.encode()
    if not (isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)):
        raise RequestError(400, f'{name}: must be {{"b64": "..."}}, the bytes of a file in base64')
    try:
        text = "".join(value["b64"].split())  # with line ends, and without padding, as TensorFlow Serving takes it
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(400, f"{name}: is not base64: {error}") from error


def _shape(shape):
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def answer_of(columnar, outputs) -> bytes:
    """The JSON of an answer with `outputs`, {name: array}, in columnar or else in row format."""
    if columnar:
        values = {name: _values(name, array) for name, array in outputs.items()}
        return _json({"outputs": next(iter(values.values())) if len(values) == 1 else values})
    rows = [{name: _values(name, array[index]) for name, array in outputs.items()}
            for index in range(len(next(iter(outputs.values()))))]
    return _json({"predictions": [next(iter(row.values())) for row in rows] if len(outputs) == 1 else rows})


def _values(name, array):
    """An array as orjson writes it. Bytes are in base64 where TensorFlow Serving has it so: `name` ends in _bytes."""
    if isinstance(array, bytes):
        if name.endswith("_bytes"):
            return {"b64": base64.b64encode(array).decode()}
        return array.decode("utf-8", "replace")
    if isinstance(array, np.ndarray) and array.dtype == object:
        return [_values(name, part) for part in array]
    return np.ascontiguousarray(array) if isinstance(array, np.ndarray) else array


def _json(value) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def error_of(message) -> bytes:
    """The JSON of an error."""
    return _json({"error": message})


def status_of(versions) -> bytes:
    """The JSON of the status of versions, which are ints."""
    return _json({"model_version_status": [
        {"version": str(number), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        for number in sorted(versions, reverse=True)]})


def metadata_of(name, version, signatures) -> bytes:
    """The JSON of the metadata of a version; `signatures`: its SignatureDefs as the JSON of their protocol buffers."""
    return _json({"model_spec": {"name": name, "signature_name": "", "version": str(version)},
                  "metadata": {"signature_def": {
                      "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap", "signature_def": signatures}}})
