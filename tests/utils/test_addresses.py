"""Which addresses count as one client."""

import pytest

from tasks_app.utils.addresses import name_address


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "address:2001:db8:1:2::/64"),
        ("::1", "address:::/64"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("fe80::1%eth0", "address:fe80::/64"),
        ("", "address:"),
        ("unix:", "address:unix:"),
        ("x" * 5000, f"address:{'x' * 100}"),
    ],
)
def test_address_names_a_client(address, expected):
    assert name_address(address) == expected
