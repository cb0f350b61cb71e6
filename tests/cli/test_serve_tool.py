"""tf2gan serve as a process: it says where it listens, ends what it has begun, and refuses what cannot be served."""
import base64
import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest
import tool
from PIL import Image

from tf2gan.core import savedmodel
from tf2gan.core.errors import UserError
from tf2gan.serving import servable

pytest.importorskip("starlette", reason="the extra serve")


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_a_stop_answers_what_has_begun(number, root):
    """The picture is large: the signal comes while it is being translated. The server ends with 0, and in silence."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, [700, 700, 3], np.uint8)).save(stream, "PNG")
    body = {"signature_name": "b2a_bytes", "instances": [{"b64": base64.b64encode(stream.getvalue()).decode()}]}
    process = subprocess.Popen([sys.executable, "tools/serve.py", "--savedmodel", "savedmodels/facades", "--port", "0", "--nopage"],
                               cwd=root, env=tool.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":([0-9]+)/$", process.stdout.readline().strip())[1])
        answers = []

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("POST", "/v1/models/facades:predict", json.dumps(body))
            answer = connection.getresponse()
            answers.append((answer.status, json.loads(answer.read())))

        client = threading.Thread(target=ask)
        client.start()
        client.join(0.7)
        assert client.is_alive(), "the answer came before the signal"
        process.send_signal(number)
        client.join()
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    (status, answer), = answers
    assert status == 200
    with Image.open(io.BytesIO(base64.b64decode(answer["predictions"][0]["b64"]))) as picture:
        assert picture.size == (700, 700)
    assert process.returncode == 0 and "Traceback" not in err, err


def refused(*args):
    done = tool.run_here(*args, tool="serve")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_cannot_be_served(root, tmp_path, monkeypatch):
    model = root / "savedmodels" / "progan-mnist"
    assert "--savedmodel is needed" in refused()
    assert "is no folder" in refused("--savedmodel", tmp_path / "none")
    assert "is not a SavedModel" in refused("--savedmodel", tmp_path)
    for option in ("--batch", "--queue", "--max-images", "--max-pixels", "--max-bytes"):
        assert f"{option} 0: must be at least 1" in refused("--savedmodel", model, option, "0")
    assert "--timeout nan" in refused("--savedmodel", model, "--timeout", "nan")
    assert "without / : and blanks" in refused("--savedmodel", model, "--name", "a/b")
    assert "--host: is empty" in refused("--savedmodel", model, "--host", "")
    assert "from 0 to 65535" in refused("--savedmodel", model, "--port", "65536")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen at 127.0.0.1, port {port}" in refused("--savedmodel", model, "--port", port)
    assert "an address of this machine as --host" in refused("--savedmodel", model, "--host", "no.such.host.invalid")
    copy = shutil.copytree(savedmodel.find(model), tmp_path / "copy")
    (copy / "model_card.json").unlink()
    assert "no model_card.json" in refused("--savedmodel", copy)
    monkeypatch.setitem(sys.modules, "orjson", None)
    assert "pip install 'tf2gan[serve]'" in refused("--savedmodel", model)


@pytest.mark.parametrize("content", ("[]", "{}", '{"name": "x"}', "{"))
def test_a_damaged_card(content, root, tmp_path):
    copy = shutil.copytree(savedmodel.find(root / "savedmodels" / "progan-mnist"), tmp_path / "copy")
    (copy / "model_card.json").write_text(content)
    assert "model_card.json" in refused("--savedmodel", copy, "--nopage")


def test_versions_of_a_folder(root, tmp_path):
    """The newest, one that is named, or all, by the numbers of their folders; of two models only with a name."""
    for number, name in ((1, "progan-mnist"), (2, "progan-mnist"), (7, "other")):
        folder = shutil.copytree(savedmodel.find(root / "savedmodels" / "progan-mnist"), tmp_path / str(number))
        card = json.loads((folder / "model_card.json").read_text())
        (folder / "model_card.json").write_text(json.dumps({**card, "name": name}))
    assert [each.version for each in servable.versions_of(tmp_path)] == [7]
    assert [each.version for each in servable.versions_of(tmp_path / "2", every=True)] == [2]
    found = servable.versions_of(tmp_path, every=True)
    assert [each.version for each in found] == [1, 2, 7]
    with pytest.raises(UserError, match="of several models: other, progan-mnist"):
        servable.check_same_model(found)
    servable.check_same_model(found[:2])
    servable.check_same_model(servable.versions_of(tmp_path, every=True, name="mine"))


def test_answers_do_not_wait_for_more_to_send():
    """Without it an answer of two packets takes 40 ms: the client's system acknowledges late."""
    from tf2gan.cli import serve

    with serve._listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
