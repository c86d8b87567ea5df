"""The named accounts."""

from __future__ import annotations

from iexec_lite.sandbox import accounts


def test_addresses() -> None:
    found = accounts.addresses()
    assert found["admin"] == "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
    assert len(set(found.values())) == len(accounts.NAMES)
    for name, address in found.items():
        assert accounts.signer(name).address == address


def test_they_stay_what_they_are() -> None:
    # Saved chains and people's notes hold these addresses.
    assert accounts.addresses()["requester"] == "0xBfcf2c9A4f0537b6aCBDC5cB8033CdDc5b91086D"
    assert accounts.addresses()["worker-1"] == "0xed4c0C0C94A2898E64c4747D5621A65fAa219C01"
