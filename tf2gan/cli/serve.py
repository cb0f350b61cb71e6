"""Serves an export over HTTP: the REST paths and JSON of TensorFlow Serving, and a page to look at.

For people without TensorFlow Serving. Requests that arrive together are computed together. Needs the extra `serve`.
"""
import dataclasses
import errno
import pathlib
import re
import signal
import socket
import sys
import urllib.parse
from typing import Optional

from tf2gan.cli.parser import Parser
from tf2gan.core import extras
from tf2gan.core.errors import UserError, printable, reason

_CONNECTIONS = 4  # times the requests in hand: more connections are closed with 503


@dataclasses.dataclass
class Options:
    """What to serve, where, and how much a request may ask for."""

    savedmodel: Optional[str] = None  # an export: savedmodels/NAME, for its newest version, or savedmodels/NAME/VERSION
    name: Optional[str] = None  # of the model in addresses; none: what its card says
    all_versions: bool = False  # every version of the model, not its newest only
    host: str = "127.0.0.1"  # the address to listen at; 0.0.0.0: all of this machine, for other machines too
    port: int = 8501  # the port to listen at; 0: any that is free
    batch: int = 16  # examples of several requests that are computed together; 1: each request alone
    queue: int = 64  # requests that are in hand at a time; more are answered by 503
    max_images: int = 64  # examples of one request
    max_pixels: int = 1048576  # of all pictures of one request
    max_bytes: int = 16777216  # of the body of one request
    timeout: float = 30.0  # seconds that a client has to send its body, and that a stop waits for requests
    page: bool = True  # whether / shows a page


def main(argv=None):
    """Parses `argv`, serves until it is interrupted, and answers what it has begun."""
    parser = Parser(description=__doc__)
    parser.add_arguments(Options, "options")
    options = parser.parse_args(sys.argv[1:] if argv is None else argv).options
    _check(options)

    with _listening(options.host, options.port) as listener:
        _serve(options, listener)


def _serve(options, listener):
    import asyncio

    import uvicorn

    from tf2gan.serving import app, servable

    servables = servable.versions_of(options.savedmodel, options.all_versions, options.name)
    servable.check_same_model(servables)
    limits = servable.Limits(options.max_images, options.max_pixels)
    application = app.application(servables, limits, options.max_bytes, options.batch, options.queue, options.timeout,
                                  options.page)
    server = uvicorn.Server(uvicorn.Config(
        application, log_level="warning", access_log=False, timeout_keep_alive=30,
        limit_concurrency=_CONNECTIONS * options.queue, timeout_graceful_shutdown=max(1, round(options.timeout))))

    def stop(*_):  # before uvicorn begins to listen for signals, and after it has ended well, when it raises them again
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    host, port = listener.getsockname()[:2]
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    name = servables[0].name
    print(f"{name}, version {', '.join(str(each.version) for each in servables)}: {address}/", flush=True)
    print(f"POST {address}/v1/models/{urllib.parse.quote(name, safe='')}:predict", flush=True)
    asyncio.run(server.serve(sockets=[listener]))


def _check(options):
    if options.savedmodel is None:
        raise UserError("--savedmodel is needed: an export, such as savedmodels/apple2orange")
    for name in ("batch", "queue", "max_images", "max_pixels", "max_bytes"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: must be at least 1")
    if not 0.0 < options.timeout < float("inf"):
        raise UserError(f"--timeout {options.timeout}: must be above 0 and finite")
    if options.name is not None and not re.fullmatch(r"[^/:\s]+", options.name):
        raise UserError(f"--name {options.name!r}: must be text without / : and blanks, since it is part of addresses")
    if not options.host.strip():
        raise UserError("--host: is empty; possible: 127.0.0.1, for this machine alone, or 0.0.0.0, for all others too")
    if not 0 <= options.port <= 65535:
        raise UserError(f"--port {options.port}: must be from 0 to 65535")
    if not pathlib.Path(options.savedmodel).is_dir():
        raise UserError(f"--savedmodel {printable(options.savedmodel)}: is no folder; needed: an export")
    extras.check("serve")


def _listening(host, port):
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Connections inherit it. asyncio does not set it for such sockets, and an answer of two packets takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, UnicodeError) as error:
        code = getattr(error, "errno", None)  # of a name that nobody knows it is negative
        host_is_wrong = code is None or code < 0 or code == errno.EADDRNOTAVAIL
        other = "an address of this machine as --host" if host_is_wrong else "another --port, or 0 for any that is free"
        raise UserError(f"cannot listen at {host}, port {port}: {reason(error)}; possible: {other}") from error
