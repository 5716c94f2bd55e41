"""Read a log from a gateway's /ledger, or from any C2SP tlog-tiles server, as the verifier reads an export.

Nothing that comes is believed: the verifier computes every hash anew. A key goes to the host that was named and to no
other: no redirect is followed, and no key over plain HTTP but on this machine.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from phigate.cli.verify_sources import of_origin
from phigate.tlog.errors import FormatError, IncompleteError
from phigate.tlog.export import ExportSource, Read

_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_TIMEOUT_S: Final = 30.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@contextmanager
def open_url(
    url: str, *, key: str | None = None, ca: Path | None = None, origin: str | None = None
) -> Iterator[ExportSource]:
    """Open a log by the URL under which its checkpoint lies. Raises `IncompleteError` or `FormatError`."""
    server = _Server(url, key=key, ca=ca)
    try:
        yield of_origin(ExportSource(server.reader()), origin)
    finally:
        server.close()


class _Server:
    """One connection that is kept, and opened once more where the server closed it meanwhile."""

    def __init__(self, url: str, *, key: str | None, ca: Path | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise FormatError("expected a URL such as https://gateway.hospital.example/ledger")
        if key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise FormatError("expected https:// where a key is sent: over plain http others could read it")
        self._path = parts.path.rstrip("/")
        self._headers: Mapping[str, str] = {"authorization": f"Bearer {key}"} if key else {}
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_TIMEOUT_S, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT_S)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def reader(self) -> Read:
        """Return a reader of the files of the log."""
        return self._read

    def _read(self, path: str) -> bytes | None:
        try:
            status, data = self._get(path)
        except ConnectionError:  # a kept connection that the server closed; once more on a fresh one
            self._connection.close()
            status, data = self._again(path)
        except (OSError, http.client.HTTPException) as error:
            raise IncompleteError(f"{path} cannot be read: {type(error).__name__}") from error
        if status == 404:
            return None
        if status in {401, 403}:
            raise IncompleteError(f"{path} cannot be read: {status}, the server takes another key")
        if status != 200:
            raise IncompleteError(f"{path} cannot be read: the server answers {status}")
        if len(data) > _MAX_FILE_BYTES:
            raise IncompleteError(f"expected {path} to have at most {_MAX_FILE_BYTES} bytes, found more")
        return data

    def _again(self, path: str) -> tuple[int, bytes]:
        try:
            return self._get(path)
        except (OSError, http.client.HTTPException) as error:
            raise IncompleteError(f"{path} cannot be read: {type(error).__name__}") from error

    def _get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", f"{self._path}/{path}", headers=dict(self._headers))
        answer = self._connection.getresponse()
        return answer.status, answer.read(_MAX_FILE_BYTES + 1)
