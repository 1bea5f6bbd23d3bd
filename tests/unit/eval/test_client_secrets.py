"""What a client masks in the answers of its server: secrets, and no words."""

from __future__ import annotations

from base64 import b64encode
from contextlib import closing

from medctx.io.masking import MASK
from medctx_eval.engines.client import Client


def test_password_and_login_are_masked_and_the_user_name_is_a_word() -> None:
    password, key = "open-sesame-19", "planted-key-0193"
    login = b64encode(f"hospital:{password}".encode()).decode()
    with closing(Client(f"http://hospital:{password}@127.0.0.1:1", api_key=key)) as client:
        said = client._clean(f"The Hospital has {password}, {login} and {key}.".encode()).decode()
    assert said == f"The Hospital has {MASK}, {MASK} and {MASK}."
