"""Where an export may go beside a file: a receiver of OpenTelemetry logs, storage that speaks S3."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import obstore
import pytest
from aiohttp import web
from obstore.store import S3Store
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from approvals.audit import exported
from bot.app import Service
from tests.auditing import book, logged, signed
from tests.bot.audit.conftest import Operator
from tests.running import until
from tests.stories.signing import free_port

MOTO = Path(__file__).parents[3] / ".venv-moto" / "bin" / "moto_server"


class Collector:
    """Receives OTLP over HTTP, and says `status`."""

    def __init__(self) -> None:
        self.status, self.records, self.tenants = 200, list[LogRecord](), set[str]()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            self.tenants |= {a.value.string_value for a in resource.resource.attributes if "tenant" in a.key}
            for scope in resource.scope_logs:
                self.records.extend(scope.log_records)
        return web.Response(status=self.status)


@pytest.fixture
async def collector(env: dict[str, str]) -> AsyncIterator[Collector]:
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/logs", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    yield collector
    await runner.cleanup()


async def test_each_entry_is_a_log_record_and_the_manifest_the_last(
    house: Service, audit: Operator, collector: Collector
) -> None:
    await logged(house, 2)
    await signed(house)
    assert (await audit("export", "--to", "otlp")).code == 0
    entries = await house.store.entries()
    *told, manifest = collector.records
    assert [json.loads(each.body.string_value) for each in told] == [exported(entry) for entry in entries]
    assert [each.time_unix_nano // 1000 for each in told] == [
        round(entry.at.timestamp() * 1_000_000) for entry in entries
    ]
    assert told[1].event_name == "countersign.submitted"
    assert {a.key: a.value.int_value for a in told[1].attributes}["countersign.seq"] == 2
    assert json.loads(manifest.body.string_value)["last"] == 5
    assert collector.tenants == {house.store.tenant}
    assert (await audit("trim", "--through", "2")).code == 1, "what can't be read back is no copy"


async def test_a_receiver_that_does_not_take_them_is_told(
    house: Service, audit: Operator, collector: Collector
) -> None:
    collector.status = 400
    said = await audit("export", "--to", "otlp")
    assert (said.code, "did not take them" in said.err) == (3, True)


@pytest.fixture
async def bucket(env: dict[str, str]) -> AsyncIterator[str]:
    """The address of storage with one empty bucket, called log."""
    if not MOTO.exists():
        pytest.skip("make .venv-moto/.ready installs a server that speaks S3")
    url = f"http://127.0.0.1:{(port := free_port())}"
    process = await asyncio.create_subprocess_exec(
        str(MOTO), "-p", str(port), stderr=asyncio.subprocess.DEVNULL
    )
    async with aiohttp.ClientSession() as session:

        async def made() -> bool:
            try:
                async with session.put(f"{url}/log") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        await until(made, 30)
        env |= {"AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
        env |= {"AWS_ACCESS_KEY_ID": "anyone", "AWS_SECRET_ACCESS_KEY": "anything"}
        yield url
    process.terminate()
    await process.wait()


@pytest.mark.long
async def test_an_export_lies_in_storage_that_speaks_s3_and_is_read_back(
    house: Service, audit: Operator, bucket: str, tmp_path: Path
) -> None:
    await logged(house, 3)
    await signed(house)
    said = await audit("export", "--new", "--to", "s3://log/audit")
    assert (said.code, "may be trimmed through 7" in said.err) == (0, True), said.err
    known = await book(house).exported()
    assert known is not None
    assert known.where == "s3://log/audit/audit-000000000001-000000000007.jsonl"
    there = S3Store(
        "log",
        endpoint=bucket,
        region="us-east-1",
        access_key_id="anyone",
        secret_access_key="anything",
        client_options={"allow_http": True},
    )
    for suffix in ("", ".manifest.json"):
        found = await obstore.get_async(there, known.where.removeprefix("s3://log/") + suffix)
        (tmp_path / f"log.jsonl{suffix}").write_bytes(bytes(await found.bytes_async()))
    assert (await audit.holds(str(tmp_path / "log.jsonl")))["covered"] == 7
    assert (await audit("trim", "--through", "7")).code == 0
    assert (await audit("export", "--to", "s3://nowhere/audit")).code == 3
