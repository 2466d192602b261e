"""The hops between a viewer and the site, as far as headers name them. Pure."""

from collections.abc import Mapping

#: What servers of the site itself call themselves.
SERVERS = ("daphne", "uvicorn", "hypercorn", "granian", "gunicorn", "twisted")

#: Headers by which a hop tells of itself, and its name.
MARKS = {
    "cf-ray": "Cloudflare",
    "x-amz-cf-id": "CloudFront",
    "x-served-by": "Fastly or Varnish",
    "x-varnish": "Varnish",
    "x-envoy-upstream-service-time": "Envoy",
    "x-azure-ref": "Azure Front Door",
}

#: How each is told to pass a stream on as it comes; the name is a part of what it calls itself.
CURES = {
    "nginx": "In nginx: 'proxy_buffering off;' for these paths, and no 'proxy_ignore_headers X-Accel-Buffering'.",
    "openresty": "In nginx: 'proxy_buffering off;' for these paths, and no 'proxy_ignore_headers X-Accel-Buffering'.",
    "apache": "In Apache: 'ProxyPass … flushpackets=on', and no mod_deflate for text/event-stream.",
    "varnish": "In Varnish: 'set beresp.do_stream = true;' and 'return (pipe);' for these paths.",
    "caddy": "In Caddy: 'flush_interval -1' in reverse_proxy, and no 'encode' for these paths.",
    "cloudflare": "In Cloudflare: no cache and no transformation for these paths.",
}


def name_hop(headers: Mapping[str, str]) -> str | None:
    """Return what calls itself a proxy in the headers of a response; None if nothing does."""
    server = headers.get("server", "")
    if server and not server.lower().startswith(SERVERS):
        return server
    if via := headers.get("via"):
        return via
    return next((name for mark, name in MARKS.items() if mark in headers), None)


def has_lost_its_request(headers: Mapping[str, str]) -> bool:
    """Return whether the site's request not to buffer was taken out on the way, as nginx and its kin do."""
    return "x-accel-buffering" not in headers


def find_cure(hop: str | None) -> str:
    """Return how a hop is told to pass a stream on as it comes."""
    known = next((cure for name, cure in CURES.items() if hop and name in hop.lower()), None)
    return (
        known or "Have each proxy, and each middleware, pass responses of the type text/event-stream on as they come."
    )
