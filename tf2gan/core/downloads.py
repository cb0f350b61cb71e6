"""Modules of tensorflow-hub by their handles, and whether a host can be reached, before anything waits for it."""
import hashlib
import os
import pathlib
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
import warnings

from tf2gan.core.errors import UserError, printable

_TIMEOUT = 5  # seconds to wait for a host, which a download would otherwise do for minutes


def unreachable_host(url):
    """The host of `url`, with its port if that is named, if it does not answer soon; else None."""
    if urllib.request.getproxies():
        return None  # then a direct connection says nothing
    parts = urllib.parse.urlparse(url)
    try:
        port = parts.port or (80 if parts.scheme == "http" else 443)
        if not parts.hostname:  # which would mean this machine
            return url
        socket.create_connection((parts.hostname, port), timeout=_TIMEOUT).close()
    except (OSError, ValueError):  # the second is a port that is no number
        return parts.netloc
    return None


def is_handle(where) -> bool:
    """Whether `where` is the handle of a module on a hub, not a path."""
    return str(where).startswith(("https://", "http://"))


def check_hub(handle, instead):
    """Raises UserError if the module `handle` is neither in tensorflow-hub's cache nor to be had; ends with `instead`.

    The cache is TFHUB_CACHE_DIR, or tfhub_modules in the system's temporary folder.
    """
    host = None if _is_cached(handle) else unreachable_host(handle)
    if host:
        raise UserError(f"{printable(handle)} is not in {printable(_cache())} and cannot be downloaded: no connection "
                        f"to {printable(host)}; {instead}")


def hub_folder(handle, instead) -> pathlib.Path:
    """The folder that tensorflow-hub keeps the module `handle` in, downloaded if need be.

    Raises UserError, which ends with `instead` (what is possible), if it is not to be had.
    """
    check_hub(handle, instead)
    if not _is_cached(handle):
        print(f"downloading {handle} to {_cache()} ...", file=sys.stderr)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what tensorflow-hub imports, its own affair
        import tensorflow_hub  # here: seconds that nobody else should wait
    try:
        return pathlib.Path(tensorflow_hub.resolve(handle))
    except Exception as error:  # it raises whatever its transport does
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{printable(handle)} cannot be downloaded: {reason}; {instead}") from error


def _cache():
    return os.environ.get("TFHUB_CACHE_DIR") or os.path.join(tempfile.gettempdir(), "tfhub_modules")


def _is_cached(handle):
    folder = os.path.join(_cache(), hashlib.sha1(handle.encode()).hexdigest())  # tensorflow-hub's own name for it
    return os.path.isdir(folder) and bool(os.listdir(folder))
