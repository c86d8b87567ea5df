"""The kinds of sandbox."""

from __future__ import annotations

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.protocol.chains import CHAINS
from iexec_lite.sandbox.kinds import KINDS, kind_named, kind_of


def test_each_is_found_by_what_it_is() -> None:
    for kind in KINDS:
        assert kind_of(kind.flavour, kind.generation) is kind
        assert kind_named(kind.name) is kind
    assert kind_of() is kind_of("token", 5)
    assert kind_named("other") is None


def test_chain_ids_are_of_no_other_chain() -> None:
    ids = [kind.chain_id for kind in KINDS]
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {chain.id for chain in CHAINS.values()}


@pytest.mark.parametrize(
    ("flavour", "generation", "words"),
    [
        ("other", 5, "flavour must be one of token, native, enterprise, not 'other'"),
        ("token", 7, "generation must be 5 or 6, not 7"),
        ("native", 6, "there is no native chain of generation 6"),
    ],
)
def test_what_there_is_not(flavour: str, generation: int, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        kind_of(flavour, generation)
