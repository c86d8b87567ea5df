"""CIDs against those of a default IPFS node (worker.md §8)."""

from __future__ import annotations

import pytest

from iexec_lite.protocol.cid import CHUNK, CidBuilder, cid_of, is_cid

VECTORS = {
    0: "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH",
    262144: "QmeqfRyS3vkku7n6krqC3DgGMex3x2sCpSeKMDmrG13QQq",
    262145: "QmUSjGawaz4ptvREcMKSMJneWCa5j8dAz2wSAAvHtW2rnB",
    600000: "QmWKdZuiD9zqoZFnLYbpV2Q5YhRCJWpqiVeYA8ygYEjcEe",
    45875200: "Qmbp67kThKoJFnWu7pUgwCu81WttemMnD13oG4uj9DiY5E",  # 175 chunks: two levels
}


def content(size: int) -> bytes:
    """Byte i is i mod 251."""
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", VECTORS)
def test_vectors(size: int) -> None:
    assert cid_of(content(size)) == VECTORS[size]


@pytest.mark.parametrize("step", [1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_pieces_do_not_matter(step: int) -> None:
    data = content(600000)
    builder = CidBuilder()
    for start in range(0, len(data), step):
        builder.update(data[start : start + step])
    assert builder.finish() == VECTORS[600000]


@pytest.mark.parametrize(
    "text",
    ["", "Qm", VECTORS[0][:-1], VECTORS[0] + "1", VECTORS[0] + "\n", VECTORS[0][:-1] + "0", "../x"],
)
def test_is_cid_refuses(text: str) -> None:
    assert is_cid(VECTORS[0])
    assert not is_cid(text)
