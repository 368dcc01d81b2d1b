"""Files under an address such as ``s3://bucket/studies``: sent, fetched and listed, each whole or absent."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from reeltune.errors import ConfigError, EngineError, ReeltuneError, unknown_name
from reeltune.files import atomic_path

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs", "file")
"""What pyarrow.fs opens."""

WHOLE = frozenset({"s3", "gcs", "abfs"})
"""Where pyarrow lets an object appear when its writing ends; elsewhere it is renamed into place."""

CHECK_SECONDS = 20.0
"""Time that an address has to answer at the start; pyarrow alone tries a silent one for minutes."""

S3_OPTIONS = ("endpoint_override", "region", "scheme")
"""What an S3 address may say after its question mark."""

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that name another server than Amazon's."""

S3_ATTEMPTS = 3
"""pyarrow's own way tries a silent server for more than a minute."""

GOOGLE_RETRY = "retry_limit_seconds=15"
"""Google's client tries for a quarter of an hour."""

REMEDIES = {
    "ACCESS_DENIED": "give these credentials the right to list, read, write and delete there",
    "ACCESS_KEY": "correct the credentials",
    "SIGNATURE": "correct the credentials",
    "NO_SUCH_BUCKET": "make the bucket first, or correct its name",
}
"""What to do, by a part of the client's own message."""

REACH = "check the bucket's name, the credentials and the endpoint, and that this machine reaches it"

T = TypeVar("T")


def is_address(text: str) -> bool:
    """Return whether ``text`` is written as an address.

    >>> is_address("s3://bucket/studies"), is_address("studies/a:b")
    (True, False)
    """
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text) is not None


def check_address(address: str) -> str:
    """Return ``address`` if it is one of object storage, in form; nothing is asked there.

    >>> check_address("s3://bucket/studies/")
    's3://bucket/studies'

    Raises:
        ConfigError: It is malformed, of an unknown kind, or holds a password.
    """
    form = "write it as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or file:///FOLDER"
    if not is_address(address):
        raise ConfigError(f"storage {address!r} is no address; {form}")
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES:
        raise ConfigError(f"storage {address!r}: {unknown_name('kind of address', parts.scheme, SCHEMES)}")
    if parts.password is not None or "secret_key" in parts.query:
        raise ConfigError(
            f"the storage address for {parts.hostname} holds a secret, and studies write their address down; "
            "leave it out and give credentials through the environment, such as AWS_SECRET_ACCESS_KEY"
        )
    if any(part in (".", "..") for part in unquote(parts.path).split("/")) or parts.fragment:
        raise ConfigError(f"storage {address!r} has a '.', '..' or '#' part; {form}")
    if parts.scheme == "file" and (parts.netloc or parts.path.strip("/") == ""):
        raise ConfigError(f"storage {address!r} names no folder with a path from the root; {form}")
    if parts.scheme != "file" and not parts.netloc and parts.scheme not in ("hdfs", "viewfs"):
        raise ConfigError(f"storage {address!r} names no bucket; {form}")
    return parts._replace(path=parts.path.rstrip("/")).geturl()


def below(address: str, name: str) -> str:
    """Return the address of ``name`` under ``address``.

    >>> below("s3://bucket/studies?region=eu-west-1", "first")
    's3://bucket/studies/first?region=eu-west-1'
    """
    parts = urlsplit(address)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{name}").geturl()


def split_name(address: str) -> tuple[str, str]:
    """Return the address above ``address``, and its last name.

    >>> split_name("s3://bucket/studies/first?region=eu-west-1")
    ('s3://bucket/studies?region=eu-west-1', 'first')

    Raises:
        ConfigError: It is malformed, or a bucket alone.
    """
    parts = urlsplit(check_address(address))
    head, _, name = parts.path.rpartition("/")
    above = parts._replace(path=head).geturl()
    if not name or (parts.scheme == "file" and not head):
        raise ConfigError(f"{address!r} names no study; write s3://BUCKET/PREFIX/NAME")
    return above, unquote(name)


class ObjectStorage:
    """The objects under one address, by names with slashes relative to it. Safe to use from many threads."""

    def __init__(self, address: str) -> None:
        """Open ``address``; see :func:`check_address`.

        Raises:
            ConfigError: It is malformed, or not what pyarrow takes.
            EngineError: What it names is not reached.
        """
        from pyarrow import ArrowInvalid
        from pyarrow.fs import FileSystem

        self.address = check_address(address)
        parts = urlsplit(self.address)
        try:
            with self._reported("open"):
                if parts.scheme == "s3":
                    self._system = _open_s3(parts)
                    root = f"{parts.netloc}{unquote(parts.path)}"
                else:
                    more = ("&" if parts.query else "?") + GOOGLE_RETRY if parts.scheme[0] == "g" else ""
                    self._system, root = FileSystem.from_uri(self.address + more)
        except ArrowInvalid as error:
            raise ConfigError(f"storage {address!r}: {str(error).splitlines()[0]}; correct it") from error
        self._root = str(root).rstrip("/")
        self._is_whole = self._system.type_name in WHOLE

    @classmethod
    def open_checked(cls, address: str) -> ObjectStorage:
        """Return the storage at ``address`` after an object was written, read, listed and removed there.

        Raises:
            ConfigError: The address is malformed.
            EngineError: It does not answer in time, or one of these steps is not allowed.
        """

        def look() -> ObjectStorage:
            storage = cls(address)
            name = f".probe-{secrets.token_hex(8)}"
            storage.write(name, name.encode())
            if storage.read(name) != name.encode() or name not in storage.sizes():
                raise EngineError(f"{address} does not give back what was written; choose another storage")
            storage.remove(name)
            return storage

        return _within(CHECK_SECONDS, look, f"{address} did not answer in {CHECK_SECONDS:g} s; {REACH}")

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the sizes in bytes of the objects under ``prefix``, by name; empty where there is none.

        Raises:
            EngineError: They cannot be listed.
        """
        from pyarrow.fs import FileSelector, FileType

        selector = FileSelector(self._path(prefix), recursive=True, allow_not_found=True)
        with self._reported("list"):
            found = self._system.get_file_info(selector)
        start = len(self._root) + 1
        files = [info for info in found if info.type == FileType.File and not info.path.endswith(".part~")]
        return {info.path[start:]: int(info.size) for info in files}

    def read(self, name: str) -> bytes | None:
        """Return the bytes of an object, None where it is absent.

        Raises:
            EngineError: It cannot be read.
        """
        try:
            with self._reported("read"), self._system.open_input_stream(self._path(name)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object, which readers see whole or not at all.

        Raises:
            EngineError: It cannot be written.
        """
        path = self._path(name)
        # All bytes are at hand before the stream opens: leaving it early would complete a torn object.
        with self._reported("write"):
            if self._is_whole:
                with self._system.open_output_stream(path) as stream:
                    stream.write(data)
                return
            part = f"{path}.{secrets.token_hex(4)}.part~"
            self._system.create_dir(str(PurePosixPath(path).parent), recursive=True)
            try:
                with self._system.open_output_stream(part) as stream:
                    stream.write(data)
                self._system.move(part, path)
            except OSError:
                with contextlib.suppress(OSError):
                    self._system.delete_file(part)
                raise

    def send(self, path: Path, name: str) -> None:
        """Write the file at ``path`` as an object.

        Raises:
            FileNotFoundError: There is no such file.
            EngineError: The object cannot be written.
        """
        self.write(name, path.read_bytes())

    def fetch(self, name: str, path: Path) -> bool:
        """Write an object to the file ``path``, atomically; return whether there is such an object.

        Raises:
            EngineError: It cannot be read, or the file cannot be written.
        """
        try:
            with self._reported("read"):
                stream = self._system.open_input_stream(self._path(name))
        except FileNotFoundError:
            return False
        with stream, atomic_path(path) as part, part.open("wb") as file:
            while chunk := self._chunk(stream):
                file.write(chunk)
        return True

    def _chunk(self, stream: Any) -> bytes:
        with self._reported("read"):
            return bytes(stream.read(2**20))

    def remove(self, name: str) -> None:
        """Remove an object; one that is absent does no harm.

        Raises:
            EngineError: It cannot be removed.
        """
        with contextlib.suppress(FileNotFoundError), self._reported("remove"):
            self._system.delete_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        from pyarrow import ArrowNotImplementedError  # an address that this build of pyarrow cannot open

        try:
            yield
        except FileNotFoundError:
            if what != "write":
                raise
            raise EngineError(f"cannot write {self.address}: there is no such place; {self._reach}") from None
        except (OSError, ArrowNotImplementedError) as error:
            said = re.sub(r"^When .*?: (?=AWS Error)", "", " ".join(str(error).split()))
            said = re.split(r" Details?: |\(Request ID", said)[0][:240].rstrip(" .;") or type(error).__name__
            known = (remedy for part, remedy in REMEDIES.items() if part in said.upper())
            raise EngineError(f"cannot {what} {self.address}: {said}; {next(known, self._reach)}") from error

    @property
    def _reach(self) -> str:
        return "choose a folder that can be written" if self.address.startswith("file:") else REACH


def _open_s3(parts: SplitResult) -> Any:
    """Return pyarrow's client for an S3 address, which gives up on a silent server soon."""
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem, resolve_s3_region

    said = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in said:
        if name not in S3_OPTIONS:
            raise ConfigError(f"storage {parts.geturl()!r}: {unknown_name('option', name, S3_OPTIONS)}")
    server = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")
    if server and "endpoint_override" not in said:  # pyarrow reads these only where it reads the address
        said = {"scheme": urlsplit(server).scheme, **said, "endpoint_override": urlsplit(server).netloc}
    if "region" not in said and "endpoint_override" not in said:
        said["region"] = resolve_s3_region(parts.netloc)
    strategy = AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS)
    try:  # one request an object; an upload in parts may be left torn behind
        return S3FileSystem(**said, retry_strategy=strategy, allow_delayed_open=True)
    except TypeError:  # an older pyarrow
        return S3FileSystem(**said, retry_strategy=strategy)


def _within(seconds: float, call: Callable[[], T], late: str) -> T:
    """Return what ``call`` returns; it has ``seconds``, then is left to itself and ``late`` is raised."""
    answers: list[Any] = []

    def run() -> None:
        try:
            answers.append(call())
        except BaseException as error:  # raised again where it is waited for
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise EngineError(late)
    if isinstance(answers[0], ReeltuneError):
        raise answers[0]
    if isinstance(answers[0], BaseException):
        raise EngineError(f"{type(answers[0]).__name__}: {answers[0]}; {REACH}") from answers[0]
    answer: T = answers[0]
    return answer
