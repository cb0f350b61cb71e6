"""The server as its clients see it: TensorFlow Serving's JSON, and an answer with a status for whatever is sent."""
import base64
import gzip
import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from served import MOST_BYTES, Served


@pytest.fixture(scope="module")
def digits(root):
    with Served(root, "cgan-mnist") as served:
        yield served


@pytest.fixture(scope="module")
def fruit(root):
    with Served(root, "apple2orange", show_page=False) as served:
        yield served


@pytest.fixture(scope="module")
def reader(root):
    with Served(root, "sgan-mnist", show_page=False) as served:
        yield served


def latents(num):
    return np.random.default_rng(0).normal(size=[num, 100]).astype(np.float32)


def b64(content):
    return {"b64": base64.b64encode(content).decode()}


def png(width=20, height=16, mode="RGB"):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def gif(*frames):
    """A GIF whose screen is 1x1, with frames of these sizes, which hold no pixels."""
    parts = [struct.pack("<6sHHBBB", b"GIF89a", 1, 1, 0, 0, 0)]
    for width, height in frames:
        parts.append(b"\x21\xfe\x02hi\0" + struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0x80) + b"\0" * 6)
        parts.append(b"\x02\x01\0\0")
    return b"".join(parts) + b"\x3b"


def scans(num):
    """A progressive JPEG whose last scan is repeated `num` times."""
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", progressive=True)
    content = stream.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * num + content[-2:]


def bomb(width=50_000, height=50_000):
    """A PNG of few bytes that says it is 2.5 thousand million pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + chunk(
        b"IDAT", rows) + chunk(b"IEND", b"")


def test_rows_and_columns_give_the_same(digits):
    z, labels = latents(3), np.int64([4, 0, 9])
    expected = digits.expected("latents", latents=z, labels=labels)["images"]
    status, answer = digits.predict({"instances": [
        {"latents": row.tolist(), "labels": int(label)} for row, label in zip(z, labels)]})
    assert status == 200 and list(answer) == ["predictions"]
    np.testing.assert_allclose(answer["predictions"], expected, atol=1e-5)
    status, answer = digits.predict({"signature_name": "latents",
                                     "inputs": {"latents": z.tolist(), "labels": labels.tolist()}},
                                    f"/versions/{digits.servable.version}")
    assert status == 200 and list(answer) == ["outputs"]
    np.testing.assert_allclose(answer["outputs"], expected, atol=1e-5)


def test_several_outputs_are_named(reader):
    pictures = np.random.default_rng(0).uniform(size=[2, 28, 28, 1]).astype(np.float32)
    expected = reader.expected("classify", images=pictures)
    status, answer = reader.predict({"signature_name": "classify", "instances": pictures.tolist()})
    assert status == 200
    assert [row["labels"] for row in answer["predictions"]] == expected["labels"].tolist()
    np.testing.assert_allclose([row["probabilities"] for row in answer["predictions"]], expected["probabilities"],
                               atol=1e-5)
    status, answer = reader.predict({"signature_name": "classify", "inputs": {"images": pictures.tolist()}})
    assert status == 200 and answer["outputs"].keys() == {"labels", "probabilities"}


def test_pictures_as_files(fruit):
    files = [png(), png(33, 9)]
    expected = fruit.expected("a2b_bytes", image_bytes=files)["image_bytes"]
    status, answer = fruit.predict({"signature_name": "a2b_bytes", "instances": [b64(file) for file in files]})
    assert status == 200
    assert [base64.b64decode(part["b64"]) for part in answer["predictions"]] == expected.tolist()
    named = {"signature_name": "a2b_bytes", "instances": [{"image_bytes": b64(file)} for file in files]}
    assert fruit.predict(named) == (status, answer)
    status, columns = fruit.predict({"signature_name": "a2b_bytes", "inputs": [b64(file) for file in files]})
    assert status == 200 and columns["outputs"] == answer["predictions"]


def test_bytes_as_others_write_them(fruit):
    """Lines of 76 characters, and no padding: TensorFlow Serving takes both."""
    content = png(7, 5)
    assert len(content) % 3, "there is padding to leave out"
    for text in (base64.encodebytes(content).decode(), base64.b64encode(content).decode().rstrip("=")):
        status, answer = fruit.predict({"signature_name": "a2b_bytes", "instances": [{"b64": text}]})
        assert status == 200, answer


def test_packed_bodies(digits):
    body = {"instances": [{"latents": Z, "labels": 3}]}
    expected = digits.predict(body)
    packed = gzip.compress(json.dumps(body).encode())
    assert digits.ask("POST", f"{digits.path}:predict", packed, {"Content-Encoding": "gzip"}) == expected
    for content, coding, status in ((packed[:-9], "gzip", 400), (b"{}", "gzip", 400), (packed, "br", 415),
                                    (gzip.compress(b" " * 10 * MOST_BYTES), "gzip", 413)):
        found, answer = digits.ask("POST", f"{digits.path}:predict", content, {"Content-Encoding": coding})
        assert found == status and list(answer) == ["error"]


def test_a_truncation_may_be_infinite(digits):
    status, answer = digits.predict(b'{"signature_name": "draw", "inputs": {"num": 1, "seed": 5, "truncation": Infinity}}')
    assert status == 200
    expected = digits.expected("draw", num=np.int32(1), seed=np.int64(5), truncation=np.float32(np.inf))["latents"]
    np.testing.assert_allclose(answer["outputs"], expected, rtol=1e-6)


def test_what_nobody_waits_for_is_not_computed(root, monkeypatch):
    with Served(root, "cgan-mnist", show_page=False, batch=1) as served:
        run, calls = served.servable.run, []
        monkeypatch.setattr(served.servable, "run", lambda *args: (calls.append(1), time.sleep(0.3), run(*args))[2])
        body = json.dumps({"instances": [{"latents": Z, "labels": 0}]}).encode()
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                client.sendall(f"POST {served.path}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                               .encode() + body)
                time.sleep(0.01)
        assert served.predict(json.loads(body))[0] == 200
    assert len(calls) <= 3


def test_head(digits):
    connection = http.client.HTTPConnection("127.0.0.1", digits.port, timeout=60)
    connection.request("HEAD", digits.path)
    assert connection.getresponse().status == 200
    connection.close()


def test_pixels_of_requests_together_are_bounded(root, monkeypatch):
    """Two pictures of 60x60 are more than the 4 096 pixels of one request: they are computed one after the other."""
    body = {"signature_name": "b2a", "inputs": np.zeros([1, 60, 60, 3]).tolist()}
    with Served(root, "facades", show_page=False) as served:
        run = served.servable.run
        monkeypatch.setattr(served.servable, "run", lambda *args: (time.sleep(0.1), run(*args))[1])
        assert [status for status, _ in together(served, [body] * 4)] == [200] * 4
        assert served.application.state.batcher.computed == 4


def test_a_seed_is_a_column(digits):
    status, answer = digits.predict({"signature_name": "seed", "inputs": {"num": 2, "seed": 7, "label": -1}})
    assert status == 200
    expected = digits.expected("seed", num=np.int32(2), seed=np.int64(7), label=np.int64(-1))["images"]
    np.testing.assert_allclose(answer["outputs"], expected, atol=1e-5)


def test_status_metadata_and_health(digits):
    status, answer = digits.ask("GET", digits.path)
    version = str(digits.servable.version)
    assert (status, answer) == digits.ask("GET", f"{digits.path}/versions/{version}")
    assert answer == {"model_version_status": [
        {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}]}
    assert digits.ask("GET", "/healthz") == (200, {"status": "ok"})
    status, answer = digits.ask("GET", f"{digits.path}/metadata")
    assert status == 200 and answer["model_spec"] == {"name": "cgan-mnist", "signature_name": "", "version": version}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert signatures.keys() == set(digits.servable.signatures)
    assert signatures["latents"]["method_name"] == "tensorflow/serving/predict"
    assert signatures["latents"]["inputs"]["latents"]["dtype"] == "DT_FLOAT"
    assert signatures["latents"]["inputs"]["latents"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "100", "name": ""}], "unknown_rank": False}


def test_metadata_are_what_the_protocol_buffers_say(digits):
    """Read back by the message that TensorFlow defines, which knows no other field."""
    from google.protobuf import json_format
    from tensorflow.core.protobuf import meta_graph_pb2

    _, answer = digits.ask("GET", f"{digits.path}/metadata")
    for name, definition in answer["metadata"]["signature_def"]["signature_def"].items():
        message = json_format.ParseDict(definition, meta_graph_pb2.SignatureDef())
        assert set(message.inputs) == set(digits.servable.signatures[name])


Z = [0.0] * 100
BAD = {  # {what is wrong: (body, status, part of the message)}
    "no body": (b"", 400, "not JSON"), "no JSON": (b"{", 400, "not JSON"), "bytes": (b"\xff\xfe\x00", 400, "not JSON"),
    "a list": ([1], 400, "no JSON object"), "NaN alone": (b'{"inputs": NaN', 400, "not JSON"),
    "NaN": (b'{"inputs": {"latents": [[' + b"NaN," * 99 + b'0]], "labels": [1]}}', 400, "holds NaN"),
    "infinite": (b'{"inputs": {"latents": [[' + b"Infinity," * 99 + b'0]], "labels": [1]}}', 400, "holds NaN"),
    "one text among numbers": ({"inputs": {"latents": [["x" * 100_000, *[0] * 99]], "labels": [1]}}, 400, "numbers only"),
    "one truth among numbers": ({"inputs": {"latents": [[True, *[0] * 99]], "labels": [1]}}, 400, "numbers only"),
    "no numbers from it": ({"inputs": {"latents": [[3e38, -3e38] * 50], "labels": [1]}}, 400, "NaN or Infinity"),
    "a long name": ({"signature_name": "x" * 50_000, "inputs": 1}, 400, "signature_name 'xxx"),
    "a deep list": ({"inputs": {"latents": [[[[[[0]]]]]], "labels": [1]}}, 400, "has the shape [1, 1, 1, 1, 1, 1]"),
    "nested": (b'{"instances":' + b"[" * 100_000, 400, "not JSON"),
    "nothing": ({}, 400, "either instances"), "both": ({"inputs": 1, "instances": []}, 400, "either instances"),
    "another key": ({"inputs": 1, "input": 2}, 400, "unknown key 'input'"),
    "a signature": ({"signature_name": "other", "inputs": 1}, 400, "possible: "),
    "a signature's type": ({"signature_name": 3, "inputs": 1}, 400, "signature_name: must be text"),
    "no rows": ({"instances": []}, 400, "one example or more"), "rows": ({"instances": 7}, 400, "one example or more"),
    "no names": ({"instances": [Z]}, 400, "need names: "),
    "a missing input": ({"instances": [{"latents": Z}]}, 400, "instances[0]: the input labels is missing"),
    "another input": ({"inputs": {"latents": [Z], "labels": [0], "x": 1}}, 400, "unknown input 'x'"),
    "a size": ({"inputs": {"latents": [Z[1:]], "labels": [0]}}, 400, "[1, 99], needed is [any, 100]"),
    "a rank": ({"inputs": {"latents": Z, "labels": [0]}}, 400, "[100], needed is [any, 100]"),
    "ragged lists": ({"inputs": {"latents": [[Z], [Z, Z]], "labels": [0, 0]}}, 400, "different lengths"),
    "ragged": ({"inputs": {"latents": [Z, Z[1:]], "labels": [0, 0]}}, 400, "different lengths"),
    "text": ({"inputs": {"latents": [["1"] * 100], "labels": [0]}}, 400, "numbers only"),
    "truth": ({"inputs": {"latents": [[True] * 100], "labels": [0]}}, 400, "numbers only"),
    "null": ({"inputs": {"latents": [[None] * 100], "labels": [0]}}, 400, "numbers only"),
    "objects": ({"inputs": {"latents": [[{}] * 100], "labels": [0]}}, 400, "numbers only"),
    "too large": ({"inputs": {"latents": [[1e300] * 100], "labels": [0]}}, 400, "too large"),
    "no whole number": ({"inputs": {"latents": [Z], "labels": [0.5]}}, 400, "whole numbers only"),
    "a large number": ({"inputs": {"latents": [Z], "labels": [2 ** 63]}}, 400, "out of the range"),
    "a label": ({"inputs": {"latents": [Z], "labels": [10]}}, 400, "labels must be from 0 to 9"),
    "numbers of examples": ({"inputs": {"latents": [Z, Z], "labels": [1]}}, 400, "different numbers"),
    "too many examples": ({"inputs": {"latents": [Z] * 9, "labels": [1] * 9}}, 413, "up to 8"),
    "rows of a seed": ({"signature_name": "seed", "instances": [{"num": 1, "seed": 1, "label": 1}]}, 400, "send inputs"),
    "too many images": ({"signature_name": "seed", "inputs": {"num": 10 ** 9, "seed": 1, "label": 1}}, 413, "up to 8"),
    "no image": ({"signature_name": "seed", "inputs": {"num": 0, "seed": 1, "label": 1}}, 400, "at least 1"),
    "a truncation": ({"signature_name": "draw", "inputs": {"num": 1, "seed": 1, "truncation": -1.0}}, 400, "above 0"),
    "gigantic": (b"[" + b" " * MOST_BYTES + b"]", 413, "larger than"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_requests(what, digits):
    body, status, message = BAD[what]
    found, answer = digits.predict(body)
    assert found == status and list(answer) == ["error"] and message in answer["error"], answer
    assert "\n" not in answer["error"] and len(answer["error"]) < 400


WRONG = {  # {what is wrong: (path, method, status)}
    "a version": ("/versions/9:predict", "POST", 404), "no number": ("/versions/x:predict", "POST", 404),
    "a label": ("/labels/stable:predict", "POST", 404), "a verb": (":classify", "POST", 404),
    "a method": (":predict", "GET", 404), "no verb": ("", "POST", 404), "another end": ("/versions/2/other", "GET", 404),
    "a huge number": (f"/versions/{'9' * 400}", "GET", 404)}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_paths(what, digits):
    path, method, status = WRONG[what]
    found, answer = digits.ask(method, digits.path + path, {} if method == "POST" else None)
    assert found in (status, 405) and list(answer) == ["error"]


@pytest.mark.parametrize("path", ("/v1/models/other:predict", "/v1/models", "/other", "/v1/models/"))
def test_other_models_and_paths(path, digits):
    found, answer = digits.ask("POST", path, {})
    assert found in (404, 405) and list(answer) == ["error"]


FILES = {  # {what is wrong: (bytes, status, part of the message)}
    "no picture": (b"hello", 400, "no picture"), "empty": (b"", 400, "no picture"),
    "cut short": (png(60, 60)[:900], 400, "the model refuses it"), "a bomb": (bomb(), 413, "pixels"),
    "a small bomb": (bomb(100, 100), 413, "pixels"), "another kind": (b"RIFF\0\0\0\0WEBPVP8 ", 400, "no picture"),
    "a header alone": (png()[:33], 400, ""), "a GIF with a large frame": (gif((1, 1), (5000, 5000)), 413, "pixels"),
    "a GIF of many frames": (gif(*[(60, 60)] * 9), 413, "pixels"), "a GIF cut short": (gif((9, 9))[:-3], 400, "cut short"),
    "a JPEG of many scans": (scans(200), 413, "more than 100 scans"),
}


@pytest.mark.parametrize("what", FILES)
def test_bad_pictures(what, fruit):
    content, status, message = FILES[what]
    found, answer = fruit.predict({"signature_name": "a2b_bytes", "instances": [b64(content)]})
    assert found == status and message in answer["error"], answer


def test_bad_base64_and_too_many_pixels(fruit):
    for value in ({"b64": "*"}, {"b64": 3}, 7, {"b65": ""}, [b64(b"x")]):
        status, answer = fruit.predict({"signature_name": "a2b_bytes", "inputs": {"image_bytes": [value]}})
        assert status == 400, answer
    status, answer = fruit.predict({"inputs": np.zeros([2, 60, 60, 3]).tolist()})
    assert status == 413 and "up to 4096" in answer["error"]


def test_one_bad_picture_among_those_computed_together(fruit):
    """Requests wait while the first is computed, and are computed together: only the bad one is refused."""
    bodies = [{"signature_name": "a2b_bytes", "instances": [b64(png(60, 60))]} for _ in range(6)]
    bodies[3] = {"signature_name": "a2b_bytes", "instances": [b64(png(60, 60)[:900])]}
    assert [status for status, _ in together(fruit, bodies)] == [200, 200, 200, 400, 200, 200]


def together(served, bodies):
    answers = [None] * len(bodies)

    def ask(index):
        answers[index] = served.predict(bodies[index])

    threads = [threading.Thread(target=ask, args=[index]) for index in range(len(bodies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_requests_that_wait_are_computed_together_and_each_gets_its_own(root, monkeypatch):
    z, labels = latents(24), np.arange(24, dtype=np.int64) % 10
    with Served(root, "cgan-mnist", show_page=False) as served:
        expected = served.expected("latents", latents=z, labels=labels)["images"]
        run = served.servable.run
        monkeypatch.setattr(served.servable, "run", lambda *args: (time.sleep(0.05), run(*args))[1])
        answers = together(served, [{"instances": [{"latents": z[i].tolist(), "labels": int(labels[i])}]}
                                    for i in range(24)])
        batcher = served.application.state.batcher
    assert [status for status, _ in answers] == [200] * 24
    np.testing.assert_allclose([answer["predictions"][0] for _, answer in answers], expected, atol=1e-5)
    assert batcher.served == 24 and batcher.computed < 16


def test_health_when_nothing_is_computed_any_more(root):
    with Served(root, "cgan-mnist", show_page=False) as served:
        task = served.application.state.batcher._task
        task.get_loop().call_soon_threadsafe(task.cancel)
        while served.ask("GET", "/healthz")[0] == 200:
            time.sleep(0.01)
        assert served.ask("GET", "/healthz")[0] == 503
        served.application.state.batcher._task = task.get_loop().create_future()
        task.get_loop().call_soon_threadsafe(served.application.state.batcher._task.set_result, None)


def test_a_full_queue_is_said(root, monkeypatch):
    with Served(root, "cgan-mnist", show_page=False, batch=1, waiting=2) as served:
        run = served.servable.run
        monkeypatch.setattr(served.servable, "run", lambda *args: (time.sleep(0.5), run(*args))[1])
        body = {"instances": [{"latents": Z, "labels": 0}]}
        statuses = [status for status, _ in together(served, [body] * 8)]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 2


def test_half_a_request_and_garbage(digits):
    """A client that stops in the middle is told so after a time; the server goes on."""
    head = f"POST {digits.path}:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", digits.port), timeout=30) as client:
        client.sendall(head + b'{"instances"')
        assert client.recv(1000).startswith(b"HTTP/1.1 408")
    for content in (head + b"{", head[:30], b"\0\xff\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", digits.port), timeout=30) as client:
            client.sendall(content)
    assert digits.predict({"instances": [{"latents": Z, "labels": 0}]})[0] == 200


def test_what_nobody_foresaw_is_a_500_and_the_next_is_answered(root, monkeypatch):
    with Served(root, "cgan-mnist", show_page=False) as served:
        with monkeypatch.context() as patch:
            patch.setattr(served.servable, "run", lambda *_: 1 / 0)
            status, answer = served.predict({"instances": [{"latents": Z, "labels": 0}]})
            assert status == 500 and answer == {"error": "the server failed; its log says why"}
        assert served.predict({"instances": [{"latents": Z, "labels": 0}]})[0] == 200


def test_the_page_is_at_the_root(digits, fruit):
    connection = http.client.HTTPConnection("127.0.0.1", digits.port, timeout=60)
    connection.request("GET", "/")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html")
    assert f'"v1/models/cgan-mnist/versions/{digits.servable.version}:predict"' in text and "runtime-code" not in text.split("<style>")[0]
    assert fruit.ask("GET", "/")[0] == 404
