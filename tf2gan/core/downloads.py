"""Downloads tensorflow-hub modules, after a quick check that their host can be reached."""
import hashlib
import os
import pathlib
import socket
import tempfile
import urllib.parse
import urllib.request
import warnings

from tf2gan.core import progress, terminal
from tf2gan.core.errors import UserError, printable

_TIMEOUT = 5  # seconds to wait for a host; a download would wait for minutes


def unreachable_host(url):
    """The host of `url`, with its port if given, if it does not answer within `_TIMEOUT`; else None."""
    if urllib.request.getproxies():
        return None  # behind a proxy, a direct connection says nothing
    parts = urllib.parse.urlparse(url)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        if not parts.hostname:  # an empty name would mean this machine
            return url
        socket.create_connection((parts.hostname, port), timeout=_TIMEOUT).close()
    except (OSError, ValueError):  # ValueError: the port is not a number
        return parts.netloc
    return None


def is_handle(where) -> bool:
    """Whether `where` is the handle (URL) of a tensorflow-hub module, not a path."""
    return str(where).startswith(("https://", "http://"))


def check_hub(handle, instead):
    """Raises UserError, ending with `instead`, if the module is neither in tensorflow-hub's cache nor downloadable.

    The cache is TFHUB_CACHE_DIR, or tfhub_modules in the system's temporary folder.
    """
    host = None if _is_cached(handle) else unreachable_host(handle)
    if host:
        raise UserError(f"{printable(handle)} is not in {printable(_cache())} and cannot be downloaded: no connection "
                        f"to {printable(host)}; {instead}")


def hub_folder(handle, instead) -> pathlib.Path:
    """The folder where tensorflow-hub keeps the module `handle`; downloads it if needed.

    Raises UserError, ending with `instead` (what is possible), if it is not available.
    """
    check_hub(handle, instead)
    if not _is_cached(handle):
        terminal.say(f"downloading {handle} to {_cache()} ...")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from what tensorflow-hub imports, not the user's concern
        import tensorflow_hub  # here, since the import takes seconds
    try:
        with progress.heartbeat(f"downloading {handle}"):
            return pathlib.Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # it raises whatever its transport raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{printable(handle)} cannot be downloaded: {reason}; {instead}") from error


def _cache():
    return os.environ.get("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")


def _is_cached(handle):
    folder = os.path.join(_cache(), hashlib.sha1(handle.encode()).hexdigest())  # tensorflow-hub's name for it
    return os.path.isdir(folder) and bool(os.listdir(folder))
