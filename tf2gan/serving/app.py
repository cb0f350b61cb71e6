"""The server: TensorFlow Serving's REST paths and a page to look at, as an ASGI application.

    GET  /                                     a page that shows what the model does
    GET  /healthz                              {"status": "ok"}
    GET  /v1/models/NAME[/versions/N]          which versions are there
    GET  /v1/models/NAME[/versions/N]/metadata signatures, as protocol buffers in JSON
    POST /v1/models/NAME[/versions/N]:predict  see `serving.protocol`

Whatever is refused is answered by {"error": "..."} and a status from 400 on.
"""
import asyncio
import contextlib
import re

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tf2gan.latent_space import strongest
from tf2gan.models import generation
from tf2gan.serving import protocol
from tf2gan.serving.batcher import Batcher
from tf2gan.serving.errors import RequestError
from tf2gan.webpage import page

_PATH = re.compile(r"(?P<name>[^/:]+)(?:/versions/(?P<version>[^/:]+)|/labels/(?P<label>[^/:]+))?"
                   r"(?P<metadata>/metadata)?(?::(?P<verb>[a-z]+))?")
_QUICK = 2 ** 17  # bytes that are read or written in less time than a change of threads costs
_PARSED_AT_ONCE = 2  # bodies: their numbers take much more memory than their text


def application(servables, limits, most_bytes, batch=16, waiting=64, patience=30.0, show_page=True):
    """The Starlette application that serves `servables`, versions of one model.

    Args:
        limits: `serving.servable.Limits` of a request.
        most_bytes: of a body.
        batch: examples of several requests that are computed together; 1: none.
        waiting: requests that may wait; more are answered by 503.
        patience: seconds that a client has to send its body.
        show_page: whether there is a page at `/`.
    """
    return _Server(servables, limits, most_bytes, batch, waiting, patience, show_page).application()


class _Server:
    def __init__(self, servables, limits, most_bytes, batch, waiting, patience, show_page):
        self._versions = {servable.version: servable for servable in servables}
        self._newest = self._versions[max(self._versions)]
        self._limits, self._most_bytes, self._patience = limits, most_bytes, patience
        self._batch, self._waiting, self._reading = batch, waiting, 0
        self._page = _page(self._newest) if show_page else None

    def application(self):
        routes = [Route("/", self._show), Route("/healthz", self._health),
                  Route("/v1/models/{path:path}", self._model, methods=["GET", "POST"])]
        handlers = {404: self._lost, 405: self._lost, Exception: self._broken}
        application = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._life)
        application.router.redirect_slashes = False
        return application

    @contextlib.asynccontextmanager
    async def _life(self, app):
        self._batcher, self._parsing = Batcher(self._batch, self._waiting), asyncio.Semaphore(_PARSED_AT_ONCE)
        app.state.batcher = self._batcher
        self._batcher.start()
        yield
        await self._batcher.stop()

    async def _show(self, request):
        if self._page is None:
            return _answer(protocol.error_of("there is no page here; /v1/models/NAME answers"), 404)
        return HTMLResponse(self._page)

    async def _health(self, request):
        return _answer(b'{"status":"ok"}')

    async def _lost(self, request, error):
        return _answer(protocol.error_of(f"{request.method} {request.url.path}: nothing is there; possible: "
                                         f"POST /v1/models/{self._newest.name}:predict"), error.status_code)

    async def _broken(self, request, error):
        return _answer(protocol.error_of("the server failed; its log says why"), 500)

    async def _model(self, request):
        try:
            return _answer(await self._asked(request))
        except RequestError as error:
            return _answer(protocol.error_of(error.message), error.status,
                           {"Retry-After": "1"} if error.status == 503 else None)
        except ClientDisconnect:  # nobody reads this
            return _answer(protocol.error_of("the request was not complete"), 400)

    async def _asked(self, request):
        found = _PATH.fullmatch(request.path_params["path"])
        if found is None:
            raise RequestError(404, f"{request.url.path}: nothing is there; possible: "
                                    f"/v1/models/{self._newest.name}, with :predict or /metadata after it")
        servable, version = self._servable(found)
        verb, metadata = found["verb"], found["metadata"]
        if verb is None and request.method == "GET":
            if metadata:
                return protocol.metadata_of(servable.name, servable.version, servable.definitions)
            return protocol.status_of([servable.version] if version else self._versions)
        if verb != "predict" or metadata:
            raise RequestError(404, f"{request.url.path}: nothing is there to {request.method}; possible: "
                                    f"POST /v1/models/{servable.name}:predict")
        if request.method != "POST":
            raise RequestError(405, "predict takes POST")
        return await self._predicted(request, servable)

    def _servable(self, found):
        if found["name"] != self._newest.name:
            raise RequestError(404, f"model {found['name']!r} is not here; possible: {self._newest.name}")
        if found["label"]:
            raise RequestError(404, f"label {found['label']!r}: versions have no labels here; "
                                    f"possible: /versions/{self._newest.version}")
        if not found["version"]:
            return self._newest, None
        text = found["version"]
        number = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None
        if number not in self._versions:
            raise RequestError(404, f"version {text!r} is not here; possible: {', '.join(map(str, self._versions))}")
        return self._versions[number], number

    async def _predicted(self, request, servable):
        if self._reading >= self._waiting:
            raise RequestError(503, f"busy: {self._reading} requests are being read; try again later")
        self._reading += 1
        try:
            body = await asyncio.wait_for(self._body(request), self._patience)
        except asyncio.TimeoutError:
            raise RequestError(408, f"the body was not complete after {self._patience:g} seconds") from None
        finally:
            self._reading -= 1
        async with self._parsing:
            asked, signature, arrays, rows = await _apart(len(body), self._read, servable, body)
        outputs = await self._batcher.submit(servable, signature, arrays, rows)
        return await _apart(sum(_size(array) for array in outputs.values()), protocol.answer_of, asked, outputs)

    async def _body(self, request: Request):
        parts, size = [], 0
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            raise self._too_large()
        async for part in request.stream():
            size += len(part)
            if size > self._most_bytes:
                raise self._too_large()
            parts.append(part)
        return b"".join(parts)

    def _too_large(self):
        return RequestError(413, f"the body is larger than {self._most_bytes} bytes")

    def _read(self, servable, body):
        asked = protocol.request_of(body)
        signature = asked.get("signature_name") or "serving_default"
        arrays = protocol.inputs_of(asked, servable.inputs(signature))
        return asked, signature, arrays, servable.rows(signature, arrays, self._limits)


async def _apart(size, function, *args):
    """Calls a function; for much data in a thread, so that other requests are read meanwhile."""
    return function(*args) if size < _QUICK else await run_in_threadpool(function, *args)


def _size(array):
    return len(array) * _QUICK // 16 if array.dtype == object else array.nbytes


def _answer(content, status=200, headers=None):
    return Response(content, status, headers, media_type="application/json")


def _page(servable):
    strong = ()
    if "latents" in servable.signatures:
        strong = strongest.directions(servable.function("latents"), generation.traits_of_card(servable.card))
    address = f"/v1/models/{servable.name}/versions/{servable.version}:predict"
    return page.html(page.described(servable.card, strong, address=address))
