"""The server: TensorFlow Serving's REST paths and a page to look at, as an ASGI application.

    GET  /                                     a page that shows what the model does
    GET  /healthz                              {"status": "ok"}
    GET  /v1/models/NAME[/versions/N]          which versions are there
    GET  /v1/models/NAME[/versions/N]/metadata signatures, as protocol buffers in JSON
    POST /v1/models/NAME[/versions/N]:predict  see `serving.protocol`

Whatever is refused here is answered by {"error": "..."} and a status from 400 on; what is no HTTP does not get so far.
"""
import asyncio
import contextlib
import re
import urllib.parse
import zlib

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
_READ_ON = 4  # times the most bytes of a body that are read before the connection is closed
_PARSED_AT_ONCE = 2  # bodies: their numbers take much more memory than their text


def application(servables, limits, most_bytes, batch=16, waiting=64, patience=30.0, show_page=True):
    """The Starlette application that serves `servables`, versions of one model.

    Args:
        limits: `serving.servable.Limits` of a request.
        most_bytes: of a body.
        batch: examples of several requests that are computed together; 1: none.
        waiting: requests that are in hand at a time, from their first byte to their answer; more are answered by 503.
        patience: seconds that a client has to send its body.
        show_page: whether there is a page at `/`.
    """
    return _Server(servables, limits, most_bytes, batch, waiting, patience, show_page).application()


class _Server:
    def __init__(self, servables, limits, most_bytes, batch, waiting, patience, show_page):
        self._versions = {servable.version: servable for servable in servables}
        self._newest = self._versions[max(self._versions)]
        self._limits, self._most_bytes, self._patience = limits, most_bytes, patience
        self._batch, self._waiting, self._inside = batch, waiting, 0
        self._page = _page(self._newest, limits) if show_page else None

    def application(self):
        routes = [Route("/", self._show), Route("/healthz", self._health),
                  Route("/v1/models/{path:path}", self._model, methods=["GET", "POST"])]
        handlers = {404: self._lost, 405: self._lost, Exception: self._broken}
        application = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._life)
        application.router.redirect_slashes = False
        return application

    @contextlib.asynccontextmanager
    async def _life(self, app):
        self._batcher = Batcher(self._batch, self._limits.pixels)
        self._parsing = asyncio.Semaphore(_PARSED_AT_ONCE)
        app.state.batcher = self._batcher
        self._batcher.start()
        yield
        await self._batcher.stop()

    async def _show(self, request):
        if self._page is None:
            return _answer(protocol.error_of("there is no page here; /v1/models/NAME answers"), 404)
        return HTMLResponse(self._page)

    async def _health(self, request):
        if not self._batcher.works:
            return _answer(protocol.error_of("nothing is computed any more: start the server again"), 503)
        return _answer(b'{"status":"ok"}')

    async def _lost(self, request, error):
        found = self._nothing(request)
        return _answer(protocol.error_of(found.message), error.status_code, getattr(error, "headers", None))

    def _nothing(self, request):
        return RequestError(404, f"{request.method} {request.url.path[:100]}: nothing is there; possible: POST "
                                 f"/v1/models/{self._newest.name}:predict, GET /v1/models/{self._newest.name}")

    async def _broken(self, request, error):
        return _answer(protocol.error_of("the server failed; its log says why"), 500)

    async def _model(self, request):
        try:
            return _answer(await self._asked(request))
        except RequestError as error:
            more = {503: {"Retry-After": "1"}, 405: {"Allow": "POST"}}
            return _answer(protocol.error_of(error.message), error.status, more.get(error.status))
        except ClientDisconnect:  # nobody reads this
            return _answer(protocol.error_of("the request was not complete"), 400)
        except asyncio.CancelledError:  # the server has been told to stop, and waits no longer
            return _answer(protocol.error_of("the server stops"), 503)

    async def _asked(self, request):
        found = _PATH.fullmatch(request.path_params["path"])
        if found is None:
            raise self._nothing(request)
        servable, version = self._servable(found)
        verb, metadata = found["verb"], found["metadata"]
        if verb is None and request.method in ("GET", "HEAD"):
            if metadata:
                return protocol.metadata_of(servable.name, servable.version, servable.definitions)
            return protocol.status_of([servable.version] if version else self._versions)
        if verb != "predict" or metadata:
            raise self._nothing(request)
        if request.method != "POST":
            raise RequestError(405, "predict takes POST")
        return await self._predicted(request, servable)

    def _servable(self, found):
        if found["name"] != self._newest.name:
            raise RequestError(404, f"model {found['name'][:100]!r} is not here; possible: {self._newest.name}")
        if found["label"]:
            raise RequestError(404, f"label {found['label'][:100]!r}: versions have no labels here; "
                                    f"possible: /versions/{self._newest.version}")
        if not found["version"]:
            return self._newest, None
        text = found["version"]
        number = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None
        if number not in self._versions:
            raise RequestError(404, f"version {text[:100]!r} is not here; possible: "
                                    f"{', '.join(map(str, self._versions))}")
        return self._versions[number], number

    async def _predicted(self, request, servable):
        if self._inside >= self._waiting:
            raise RequestError(503, f"busy: {self._inside} requests are in hand already; try again later")
        self._inside += 1
        try:
            body = await self._complete(request)
            async with self._parsing:
                columnar, *asked = await _apart(len(body), self._read, servable, body)
            del body  # it may wait for long
            outputs = await _unless(request, self._batcher.submit(servable, *asked))
            return await _apart(sum(map(_size, outputs.values())), protocol.answer_of, columnar, outputs)
        finally:
            self._inside -= 1

    async def _complete(self, request):
        """The body of a request, unpacked."""
        try:
            body = await asyncio.wait_for(self._body(request), self._patience)
        except asyncio.TimeoutError:
            raise RequestError(408, f"the body was not complete after {self._patience:g} seconds") from None
        coding = request.headers.get("content-encoding", "identity").lower()
        if coding == "identity":
            return body
        if coding != "gzip":
            raise RequestError(415, f"content-encoding {coding[:100]!r}: possible: gzip, or none")
        try:
            reader = zlib.decompressobj(31)  # with the header of gzip
            body = reader.decompress(body, self._most_bytes + 1)
        except zlib.error as error:
            raise RequestError(400, f"the body is not gzip: {error}") from error
        if len(body) > self._most_bytes:
            raise self._too_large()
        if not reader.eof:
            raise RequestError(400, "the body is not gzip: it is cut short")
        return body

    async def _body(self, request: Request):
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size <= self._most_bytes:
                parts.append(part)
            else:  # read on for a while: a client that is not done sending would see a broken connection, no answer
                parts.clear()
                if size > _READ_ON * self._most_bytes:
                    break
        if size > self._most_bytes:
            raise self._too_large()
        return b"".join(parts)

    def _too_large(self):
        return RequestError(413, f"the body is larger than {self._most_bytes} bytes")

    def _read(self, servable, body):
        asked = protocol.request_of(body)
        signature = asked.get("signature_name") or "serving_default"
        arrays = protocol.inputs_of(asked, servable.inputs(signature))
        return ("inputs" in asked, signature, arrays, *servable.cost(signature, arrays, self._limits))


async def _unless(request, work):
    """What `work` returns, unless the client goes away first: then it is cancelled."""
    work, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientDisconnect
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


async def _gone(request):
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _apart(size, function, *args):
    """Calls a function; for much data in a thread, so that other requests are read meanwhile."""
    return function(*args) if size < _QUICK else await run_in_threadpool(function, *args)


def _size(array):
    return len(array) * _QUICK // 16 if array.dtype == object else array.nbytes


def _answer(content, status=200, headers=None):
    return Response(content, status, headers, media_type="application/json")


def _page(servable, limits):
    strong = ()
    if "latents" in servable.signatures:
        strong = strongest.directions(servable.function("latents"), generation.traits_of_card(servable.card))
    # Relative: a proxy may serve it below another path.
    address = f"v1/models/{urllib.parse.quote(servable.name, safe='')}/versions/{servable.version}:predict"
    return page.html(page.described(servable.card, strong, address=address, most_pixels=limits.pixels))
