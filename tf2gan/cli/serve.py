"""Serves an export over HTTP: the REST paths and JSON of TensorFlow Serving, and a page to look at.

For people without TensorFlow Serving. Requests that arrive together are computed together. Needs the extra `serve`.
"""
import dataclasses
import importlib
import pathlib
import signal
import socket
import sys
from typing import Optional

from tf2gan.cli.parser import Parser
from tf2gan.core.errors import UserError, printable, reason

_NEEDED = ("starlette", "uvicorn", "orjson")


@dataclasses.dataclass
class Options:
    """What to serve, where, and how much a request may ask for."""

    savedmodel: Optional[str] = None  # an export: savedmodels/NAME, for its newest version, or savedmodels/NAME/VERSION
    all_versions: bool = False  # every version of the model, not its newest only
    host: str = "127.0.0.1"  # the address to listen at; 0.0.0.0: all of this machine, for other machines too
    port: int = 8501  # the port to listen at; 0: any that is free
    batch: int = 16  # examples of several requests that are computed together; 1: each request alone
    queue: int = 64  # requests that may wait; more are answered by 503
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

    import asyncio

    import uvicorn

    from tf2gan.serving import app, servable

    servables = servable.versions_of(options.savedmodel, options.all_versions)
    servable.check_same_model(servables)
    limits = servable.Limits(options.max_images, options.max_pixels)
    with _listening(options.host, options.port) as listener:
        application = app.application(servables, limits, options.max_bytes, options.batch, options.queue,
                                      options.timeout, options.page)
        server = uvicorn.Server(uvicorn.Config(
            application, log_level="warning", access_log=False, timeout_keep_alive=30,
            timeout_graceful_shutdown=max(1, round(options.timeout))))
        for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again after it has ended well
            signal.signal(number, lambda *_: None)
        host, port = listener.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        newest = max(servables, key=lambda each: each.version)
        print(f"{newest.name}, version {', '.join(str(each.version) for each in servables)}: {address}/", flush=True)
        print(f"POST {address}/v1/models/{newest.name}:predict", flush=True)
        asyncio.run(server.serve(sockets=[listener]))


def _check(options):
    if options.savedmodel is None:
        raise UserError("--savedmodel is needed: an export, such as savedmodels/apple2orange")
    for name in ("batch", "queue", "max_images", "max_pixels", "max_bytes"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: must be at least 1")
    if not 0.0 < options.timeout < float("inf"):
        raise UserError(f"--timeout {options.timeout}: must be above 0 and finite")
    if not 0 <= options.port <= 65535:
        raise UserError(f"--port {options.port}: must be from 0 to 65535")
    if not pathlib.Path(options.savedmodel).is_dir():
        raise UserError(f"--savedmodel {printable(options.savedmodel)}: is no folder; needed: an export")
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(f"needs the package {name} ({error}): pip install 'tf2gan[serve]'") from error


def _listening(host, port):
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # Connections inherit it. asyncio does not set it for such sockets, and an answer of two packets takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot listen at {host}, port {port}: {reason(error)}; possible: another --port") from error
