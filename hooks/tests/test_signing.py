"""Signatures are those of the Standard Webhooks scheme, computed here by other means."""

from __future__ import annotations

import base64
import hashlib
import re
from time import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hooks import signing


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104, from its text."""
    block = (key if len(key) <= 64 else hashlib.sha256(key).digest()).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).digest()


@given(
    key=st.binary(min_size=24, max_size=80),
    event_id=st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=40),
    timestamp=st.integers(0, 2**40),
    body=st.binary(max_size=300),
)
def test_a_signature_is_the_hmac_of_id_timestamp_and_body(key, event_id, timestamp, body):
    secret = "whsec_" + base64.b64encode(key).decode()
    expected = hmac_sha256(key, b".".join((event_id.encode(), str(timestamp).encode(), body)))
    assert signing.signature(secret, event_id, timestamp, body) == "v1," + base64.b64encode(expected).decode()


def test_the_example_of_the_scheme_comes_out():
    """The example that the scheme's own libraries test with."""
    given = signing.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_while_a_secret_is_replaced_both_sign():
    new, old = signing.new_secret(), signing.new_secret()
    headers = signing.headers([new, old], "msg_1", 1, b"{}")
    assert headers["webhook-signature"] == " ".join(signing.signature(s, "msg_1", 1, b"{}") for s in (new, old))


def test_a_new_secret_has_256_random_bits_and_the_schemes_prefix():
    made = {signing.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32 for secret in made)


@pytest.mark.parametrize("secret", ["whsec_no base64!", "é"])
def test_a_secret_that_is_none_raises(secret):
    with pytest.raises(ValueError):
        signing.signature(secret, "msg_1", 1, b"")


def test_the_receiver_of_the_documents_accepts_what_we_send_and_nothing_else(settings):
    text = (settings.BASE_DIR / "docs" / "webhooks.md").read_text()
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    said: dict[str, Any] = {}
    exec(found[1], said)
    old, new, other = (signing.new_secret() for _ in range(3))
    headers = signing.headers([new, old], "msg_1", int(time()), b"{}")
    assert [said["verify"](secret, headers, b"{}") for secret in (new, old, other)] == [True, True, False]
    assert not said["verify"](new, headers, b"{ }")
    stale = signing.headers([new], "msg_1", int(time()) - 3600, b"{}")
    assert not said["verify"](new, stale, b"{}")
