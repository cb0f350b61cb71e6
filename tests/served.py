"""A server of an export in a thread of this process, and a client of it."""
import http.client
import json
import socket
import threading
import time

import pytest
import tensorflow as tf

pytest.importorskip("starlette", reason="the extra serve")
uvicorn = pytest.importorskip("uvicorn", reason="the extra serve")
from tf2gan.serving import app, servable  # noqa: E402

LIMITS = servable.Limits(images=8, pixels=64 * 64)
MOST_BYTES = 400_000


class Served:
    """Use it as a context manager. `options`: of `app.application`."""

    def __init__(self, root, name, limits=LIMITS, most_bytes=MOST_BYTES, **options):
        self.servable = servable.versions_of(root / "savedmodels" / name)[0]
        self.application = app.application([self.servable], limits, most_bytes, patience=1.0, **options)
        self.path = f"/v1/models/{name}"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.server = uvicorn.Server(uvicorn.Config(self.application, log_level="error"))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})

    def __enter__(self):
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self.server.should_exit = True
        self.thread.join()
        self.listener.close()

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON) of an answer; `body`: bytes, or a value for JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, content, headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def predict(self, body, version=""):
        return self.ask("POST", f"{self.path}{version}:predict", body)

    def expected(self, signature, **inputs):
        return {name: value.numpy() for name, value in self.servable.function(signature)(
            **{name: tf.constant(value) for name, value in inputs.items()}).items()}
