"""Network addresses as names of clients. Pure."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

#: The most characters of an address that is none, such as a name that a site puts in its place.
MAX_LENGTH = 100

#: The bits of an IPv6 address that name a network; who is given one has all of its addresses.
PREFIX_BITS = 64


@lru_cache(maxsize=1024)
def name_address(text: str) -> str:
    """Return the name of the client at an address: that of IPv6 stands for its whole /64.

    An IPv4 address that is written as one of IPv6 counts as what it is; what is no address stays as it is.
    """
    return f"address:{_shorten(text[:MAX_LENGTH])}"


def _shorten(text: str) -> str:
    try:
        address = ip_address(text.partition("%")[0])  # behind the % is an interface of this machine
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, PREFIX_BITS), strict=False))
