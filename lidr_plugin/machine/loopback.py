"""What is for this machine stays on it, whatever proxy the environment names: it may carry a key."""

import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

_HOME = ("localhost", "127.0.0.1", "127.0.0.0/8", "::1")
"""As libraries read `NO_PROXY`: some know networks, some compare texts."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost` and names below it, 127.0.0.0/8 however it is written, `::1`, 0.0.0.0."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        # Also `127.1` and `0x7f000001`, which connections understand and `ipaddress` does not.
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        try:
            address = ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def without_proxy(env: Mapping[str, str], *addresses: str) -> dict[str, str]:
    """`NO_PROXY` for a process with this environment, which asks these addresses among others."""
    before = (env.get("no_proxy") or env.get("NO_PROXY") or "").split(",")
    hosts = [_host_of(address) for address in (env.get("HF_ENDPOINT", ""), *addresses)]
    home = [*_HOME, *(host for host in hosts if host and is_loopback(host))]
    value = ",".join(dict.fromkeys(part.strip() for part in [*before, *home] if part.strip()))
    return {"no_proxy": value, "NO_PROXY": value}


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
