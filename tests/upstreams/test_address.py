from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from phigate.upstreams.address import InsideResolver, OutsideAddressError, as_literal, is_inside


@pytest.mark.parametrize(
    "literal",
    [
        "127.0.0.1",
        "::ffff:10.0.0.1",
        "10.1.2.3",
        "172.16.0.9",
        "192.168.1.1",
        "::1",
        "fd00::1",
    ],
)
def test_loopback_and_private_addresses_are_inside(literal: str) -> None:
    assert is_inside(literal)


@pytest.mark.parametrize(
    "literal",
    [
        "8.8.8.8",
        "169.254.169.254",
        "fe80::1%eth0",
        "172.32.0.1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "2001:4860:4860::8888",
        "::ffff:8.8.8.8",
        "2002:0a00:0001::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "ff02::1",
        "100.64.0.1",
    ],
)
def test_public_link_local_unspecified_multicast_and_tunnelled_addresses_are_outside(literal: str) -> None:
    assert not is_inside(literal)


def test_literals_are_told_from_names() -> None:
    assert as_literal("10.0.0.1") == "10.0.0.1"
    assert as_literal("vllm.internal") is None


class _Fixed(AbstractResolver):
    def __init__(self, *hosts: str) -> None:
        self.hosts = hosts
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=h, port=port, family=family, proto=0, flags=0) for h in self.hosts]

    async def close(self) -> None:
        self.closed = True


@pytest.mark.anyio
async def test_a_name_with_one_public_address_is_refused_whole() -> None:
    inside, mixed = _Fixed("10.0.0.1", "10.0.0.2"), _Fixed("10.0.0.1", "8.8.8.8")
    assert len(await InsideResolver(inside).resolve("ward")) == 2
    resolver = InsideResolver(mixed)
    with pytest.raises(OutsideAddressError, match=r"^the name of an on-prem server resolves to a public address$"):
        await resolver.resolve("ward")
    await resolver.close()
    assert mixed.closed
