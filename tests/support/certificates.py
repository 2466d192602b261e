"""Certificates for this machine that nobody has signed but themselves."""

import shutil
import subprocess
from pathlib import Path

import pytest

OPENSSL = shutil.which("openssl")

needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="no openssl to make a certificate with")


def make_certificate(folder: Path) -> Path:
    """Make `certificate.pem` and `key.pem` in a folder, and return the path of the first."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run([str(OPENSSL), "req", "-x509", *key, *subject, *files], check=True, capture_output=True)
    return folder / "certificate.pem"
