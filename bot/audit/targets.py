"""Where an export goes: standard output, a file, S3-compatible storage, OpenTelemetry logs."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from approvals.audit import Entry
from approvals.errors import ApprovalsError, InvalidCall, Unavailable
from bot.audit.lines import json_line
from bot.audit.manifest import SUFFIX, Manifest, beside

CHUNK = 1024 * 1024


class Mismatch(ApprovalsError):
    """What was read back is not what was written."""


class Target(Protocol):
    """Takes the export page by page, then its manifest."""

    name: str  # as the record of the export tells it
    is_read_back: bool  # whether `finish` has compared what is there with what was written

    def write(self, text: str, entries: Sequence[Entry]) -> None: ...
    def finish(self, manifest: Manifest) -> None: ...
    def give_up(self) -> None: ...


class Stdout:
    name, is_read_back = "standard output", False

    def __init__(self, manifest: Path | None) -> None:
        self._manifest = manifest

    def write(self, text: str, entries: Sequence[Entry]) -> None:
        sys.stdout.write(text)

    def finish(self, manifest: Manifest) -> None:
        sys.stdout.flush()
        if self._manifest is not None:
            _put(self._manifest, manifest.text.encode())

    def give_up(self) -> None:
        return


class File:
    """A file that is there whole or not at all, with its manifest beside it."""

    is_read_back = True

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path.resolve())
        try:
            self._file: IO[bytes] = tempfile.NamedTemporaryFile(  # noqa: SIM115 - it is open until `finish`
                dir=path.parent, prefix=f".{path.name}.", delete=False
            )
        except OSError as error:
            raise InvalidCall(f"{path} can't be written: {error.strerror}") from error

    def write(self, text: str, entries: Sequence[Entry]) -> None:
        self._file.write(text.encode())

    def finish(self, manifest: Manifest) -> None:
        with self._file as file:
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._path)
        _put(beside(self._path), manifest.text.encode())
        with self._path.open("rb") as written:
            _compare(iter(lambda: written.read(CHUNK), b""), manifest, self.name)

    def give_up(self) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


def _put(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and its name for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class S3:
    """Two objects, named by the numbers of the entries. The usual AWS_… variables say how to get in."""

    is_read_back = True

    def __init__(self, url: str, ending: str) -> None:
        try:
            from obstore import exceptions, store
        except ModuleNotFoundError as error:
            raise InvalidCall("to export to S3 the extra s3 is needed: obstore") from error
        try:
            self._store = store.from_url(url)
        except (exceptions.BaseError, ValueError) as error:
            raise InvalidCall(f"{url} can't be opened: {error}") from error
        self._trouble: type[Exception] = exceptions.BaseError
        self._url, self._ending, self.name = url.rstrip("/"), ending, url
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is open until `finish`

    def write(self, text: str, entries: Sequence[Entry]) -> None:
        self._file.write(text.encode())

    def finish(self, manifest: Manifest) -> None:
        import obstore

        name = f"audit-{manifest.first:012d}-{manifest.last:012d}.{self._ending}"
        self.name = f"{self._url}/{name}"
        with self._file as file:
            file.seek(0)
            try:
                obstore.put(self._store, name, file)
                obstore.put(self._store, name + SUFFIX, manifest.text.encode())
                _compare(obstore.get(self._store, name).stream(), manifest, self.name)
            except (self._trouble, OSError) as error:  # that nothing is there is an OSError of Python's own
                why = str(error).partition("\n")[0]
                raise Unavailable(f"{self.name} could not be written: {why}") from error

    def give_up(self) -> None:
        self._file.close()


class Otlp:
    """Log records, by OTLP over HTTP; OTEL_EXPORTER_OTLP_ENDPOINT and its siblings say where."""

    name, is_read_back = "OpenTelemetry logs", False

    def __init__(self, tenant: str) -> None:
        if not any(os.environ.get(f"OTEL_EXPORTER_OTLP_{each}ENDPOINT") for each in ("", "LOGS_")):
            raise InvalidCall("OTEL_EXPORTER_OTLP_ENDPOINT is not set; for example http://localhost:4318")
        try:
            from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
            from opentelemetry.sdk.resources import Resource
        except ModuleNotFoundError as error:
            raise InvalidCall("to export by OTLP the extra otel is needed: opentelemetry") from error
        self._exporter: Any = OTLPLogExporter()
        self._resource = Resource.create({"service.name": "countersign", "countersign.tenant": tenant})

    def write(self, text: str, entries: Sequence[Entry]) -> None:
        self._send([self._record(entry) for entry in entries])

    def finish(self, manifest: Manifest) -> None:
        from opentelemetry._logs import LogRecord

        self._send([self._readable(LogRecord(event_name="countersign.audit.manifest", body=manifest.text))])
        self._exporter.shutdown()

    def give_up(self) -> None:
        self._exporter.shutdown()

    def _record(self, entry: Entry) -> Any:
        from opentelemetry._logs import LogRecord, SeverityNumber

        told: dict[str, str | int] = {
            "seq": entry.seq,
            "request": entry.request,
            "actor": entry.actor,
            "via": entry.via,
        }
        told |= {"event": entry.event, "tool": entry.tool or "", "hash": entry.hash}
        return self._readable(
            LogRecord(
                timestamp=round(entry.at.timestamp() * 1_000_000) * 1000,
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                event_name=f"countersign.{entry.event}",
                body=json_line(entry),
                attributes={f"countersign.{name}": value for name, value in told.items()},
            )
        )

    def _readable(self, record: Any) -> Any:
        from opentelemetry.sdk._logs import ReadableLogRecord

        return ReadableLogRecord(record, self._resource)

    def _send(self, records: Sequence[Any]) -> None:
        result = self._exporter.export(records) if records else None
        if result is not None and result.name != "SUCCESS":
            raise Unavailable("the receiver of OpenTelemetry logs did not take them")


def _compare(chunks: Iterator[bytes], manifest: Manifest, name: str) -> None:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    if found.hexdigest() != manifest.sha256:
        raise Mismatch(f"{name} was written, and reads as something else: don't trust that storage")
