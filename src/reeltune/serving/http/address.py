"""Where a service listens, and the names under which it may be asked for."""

from __future__ import annotations

import ipaddress
import socket

from reeltune.errors import ConfigError


def open_port(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror or error}); "
            "choose another --port, 0 takes a free one"
        ) from error
    return bound


def own_names(bound: socket.socket, host: str) -> tuple[str, ...]:
    """Return the hosts that a request to ``bound`` may name; ``*`` where other machines reach it.

    A page of another site can let its own name point to the loopback interface. The browser then takes
    the service for that site, but still sends the site's name as ``Host``.
    """
    address = ipaddress.ip_address(bound.getsockname()[0])
    inner = getattr(address, "ipv4_mapped", None) or address
    if not inner.is_loopback:
        return ("*",)
    return tuple(dict.fromkeys(("localhost", "127.0.0.1", "[::1]", shown(str(address)), shown(host).lower())))


def shown(host: str) -> str:
    """Return ``host`` as it stands in an address.

    >>> shown("::1"), shown("localhost")
    ('[::1]', 'localhost')
    """
    return f"[{host}]" if ":" in host else host
