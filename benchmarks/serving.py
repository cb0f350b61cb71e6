#!/usr/bin/env python
"""Puts `tf2gan serve` under load on this machine: requests a second and latencies, by how many are computed together.

Servers with each `--batch` run in turn, round by round. Clients are threads of this process that ask again as soon as
they are answered, so that they share the cores with the server. With `--minutes`, one server is asked for so long, with
bad requests among the good ones, and its memory is read each ten seconds.
"""
import base64
import collections
import concurrent.futures
import dataclasses
import http.client
import io
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
from typing import List, Optional

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))  # not installed: found beside tf2gan

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from simple_parsing.helpers import list_field  # noqa: E402

from tf2gan.cli.parser import Parser, run_tool  # noqa: E402
from tf2gan.core.errors import UserError  # noqa: E402

_ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Options:
    """What is served, and how it is asked."""

    savedmodel: Optional[str] = None  # an export, such as savedmodels/dcgan-mnist
    batch: List[int] = list_field(1, 16)  # of `tf2gan serve`, one server each
    clients: int = 16  # that ask at the same time
    seconds: float = 10.0  # of each round
    rounds: int = 3
    minutes: float = 0.0  # if above 0, only this: one server under a mixed load for so long


def main(argv=None):
    """Parses `argv`, measures, prints."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    if options.savedmodel is None or min(options.clients, options.rounds, *options.batch) < 1 or (
            options.seconds <= 0 or options.minutes < 0):
        raise UserError("needed: --savedmodel DIR, an export, and numbers of at least 1")
    if options.minutes > 0:
        _long(options)
        return
    found = {batch: [] for batch in options.batch}
    for _ in range(options.rounds):
        for batch in options.batch:
            with _Server(options.savedmodel, batch) as server:
                body = _good(server)
                _load(server, [body], options.clients, 2.0)  # first calls trace
                found[batch].append(_load(server, [body], options.clients, options.seconds))
    print(f"{options.clients} clients, {options.rounds} rounds of {options.seconds:g} seconds; medians of rounds\n"
          "| --batch | requests a second | median latency | 99th percentile | answers |\n|---|---|---|---|---|")
    for batch, rounds in found.items():
        middle = [statistics.median(values) for values in zip(*((rate, p50, p99) for rate, p50, p99, _ in rounds))]
        statuses = sum((collections.Counter(one[3]) for one in rounds), collections.Counter())
        print(f"| {batch} | {middle[0]:.0f} | {1e3 * middle[1]:.0f} ms | {1e3 * middle[2]:.0f} ms | {dict(statuses)} |")


class _Server:
    """`tools/serve.py` as a process."""

    def __init__(self, model, batch, *more):
        self.process = subprocess.Popen(
            [sys.executable, "tools/serve.py", "--savedmodel", str(pathlib.Path(model).resolve()), "--port", "0",
             "--batch", str(batch), "--nopage", *more], cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        address = re.search(r":([0-9]+)/$", self.process.stdout.readline().strip())
        if address is None:  # it has said why
            raise UserError(f"--savedmodel {model}: the server ended with {self.process.wait()} at once")
        self.port = int(address[1])
        self.path = self.process.stdout.readline().split(str(self.port), 1)[1].strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def memory(self):
        """Resident memory in MB (Linux)."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def _good(server):
    """A request for one image, as the signatures of the model ask for it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", f"{server.path.rsplit(':', 1)[0]}/metadata")
    signatures = json.loads(connection.getresponse().read())["metadata"]["signature_def"]["signature_def"]
    for name in ("a2b_bytes", "b2a_bytes"):
        if name in signatures:
            instance = {"b64": base64.b64encode(_png()).decode()}
            return json.dumps({"signature_name": name, "instances": [instance]}).encode()
    instance = {"latents": [0.1] * int(signatures["latents"]["inputs"]["latents"]["tensor_shape"]["dim"][1]["size"])}
    if "labels" in signatures["latents"]["inputs"]:
        instance["labels"] = 1
    return json.dumps({"signature_name": "latents_bytes", "instances": [instance]}).encode()


def _png(size=128):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, [size, size, 3], np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _bad():
    """Bodies that are refused, of many kinds."""
    picture = _png()
    files = [b"", b"no picture", picture[:200], picture[:-2000], picture[:16] + b"\0\1\0\0" * 2 + picture[24:]]
    yield from (b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"instances": []}', b'{"instances": [[1, 2]]}',
                b'{"inputs": {"latents": [["a"]]}}', b'{"inputs": NaN}', b'{"signature_name": "x", "inputs": 1}',
                b'{"instances": ' + b"[" * 10_000, b'{"inputs": {"images": [[[[1e999]]]]}}', b" " * (17 << 20))
    for name in ("a2b_bytes", "b2a_bytes"):
        for file in files:
            yield json.dumps({"signature_name": name, "inputs": [{"b64": base64.b64encode(file).decode()}]}).encode()


def _load(server, bodies, clients, seconds):
    """(requests a second, median and 99th percentile of the latencies in seconds, {status: how many})."""
    until = time.monotonic() + seconds

    def client(offset):
        taken, statuses, number = [], collections.Counter(), offset
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        while time.monotonic() < until:
            start, number = time.monotonic(), number + 1
            try:
                connection.request("POST", server.path, bodies[number % len(bodies)])
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
            except (OSError, http.client.HTTPException):  # refused before the body was read
                statuses["closed"] += 1
                connection.close()
            taken.append(time.monotonic() - start)
        connection.close()
        return taken, statuses

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(client, range(clients)))
    taken = [one for part, _ in parts for one in part]
    statuses = sum((part for _, part in parts), collections.Counter())
    return len(taken) / (time.monotonic() - start), *np.quantile(taken, [0.5, 0.99]), dict(statuses)


def _long(options):
    """One server under good and bad requests; prints its memory."""
    with _Server(options.savedmodel, max(options.batch)) as server:
        good, until, answers = _good(server), time.monotonic() + 60.0 * options.minutes, collections.Counter()
        bodies = [body for bad in _bad() for body in (good, good, good, bad)]
        begun = time.monotonic()
        while time.monotonic() < until:
            answers.update(_load(server, bodies, options.clients, min(10.0, 60.0 * options.minutes))[3])
            print(f"{time.monotonic() - begun:.0f} s: {server.memory():.0f} MB, {dict(answers)}", flush=True)


if __name__ == "__main__":
    run_tool(main, "serving.py")
