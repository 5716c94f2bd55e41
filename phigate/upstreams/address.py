"""Where a server inside the house may stand: at a loopback or private address, or behind a pinned certificate.

A name is judged by what it resolves to, at every new connection: a name that resolved inside yesterday and outside
today is refused today.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, final

from aiohttp.abc import AbstractResolver, ResolveResult


class OutsideAddressError(OSError):
    """A server declared as inside the house stands at a public address. The connector turns it into its own error."""


# The same list as policy's. Link-local is not in it: cloud machines keep their credentials there.
_INSIDE: Final = tuple(
    ipaddress.ip_network(n) for n in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
)


def is_inside(literal: str) -> bool:
    """Return whether an IP address literal is loopback, private or unique-local."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(literal.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # ::ffff:8.8.8.8 is 8.8.8.8
    return any(address.version == network.version and address in network for network in _INSIDE)


def as_literal(host: str) -> str | None:
    """Return the host when it is an address literal, None when it is a name."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return host


@final
class InsideResolver(AbstractResolver):
    """Resolves through another resolver and refuses the whole answer when any address of it is outside."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses. Raises `OutsideAddressError` when one of them is public."""
        answers = await self._resolver.resolve(host, port, family)
        if not all(is_inside(answer["host"]) for answer in answers):
            raise OutsideAddressError("the name of an on-prem server resolves to a public address")
        return answers

    async def close(self) -> None:
        """Close the resolver underneath."""
        await self._resolver.close()
