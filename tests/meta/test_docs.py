"""The pages of docs/ that are made of code and tests are up to date, and a lie would be noticed."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from .conftest import ROOT, load

make_docs = load("tools/make_docs.py")
pages = cache(make_docs.pages)
table = load("tests/witness.py")


def stale(docs: Path) -> list[str]:
    """Pages that are not what their sources make today: run ``python tools/make_docs.py``."""
    return [
        name
        for name, text in pages().items()
        if not (docs / name).is_file() or (docs / name).read_text("utf-8") != text
    ]


def test_pages_are_up_to_date(tmp_path: Path) -> None:
    assert stale(ROOT / "docs") == []
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    methods = tmp_path / "docs" / "methods.md"
    methods.write_text(methods.read_text("utf-8").replace("wallet.get_address", "wallet.who"))
    (tmp_path / "docs" / "witness.md").unlink()
    assert stale(tmp_path / "docs") == ["methods.md", "witness.md"]


def test_nothing_of_v6_is_missing() -> None:
    assert "**missing**" not in pages()["methods.md"]


def test_methods() -> None:
    """Ours beside theirs; one that we do not have is missing, one that they do not have is ours."""

    class Wallet:
        def send_rlc(self, amount: int | str = 0, *, new: bool = False) -> str:
            """Send :meth:`RLC`, ``a|b``.

            More.
            """

        def lend(self) -> None:
            """Lend."""

    v6 = {"owed": ["wallet.sendRLC", "wallet.sendETH"], "not_owed": {"utils.BN": "no"}}
    methods = {f"wallet.{name}": (Wallet, name) for name in ("send_rlc", "lend")}
    lines = make_docs.methods_page(v6, methods).splitlines()
    assert (
        r"| `wallet.sendRLC` | `wallet.send_rlc(amount: int \| str = 0, *, new: bool = False) -> "
        r"str` | Send `RLC`, `a\|b`. |"
    ) in lines
    assert "| `wallet.sendETH` | **missing** | |" in lines
    assert "| `wallet.lend() -> None` | Lend. |" in lines
    assert "| `utils.BN` | no |" in lines


def test_witnesses(tmp_path: Path) -> None:
    folder = tmp_path / "oracle"
    folder.mkdir()
    mark = '@pytest.mark.witness("hash of *", "tag", by="js")\n@pytest.mark.slow\n'
    (folder / "test_x.py").write_text(
        f"import pytest\n{mark}def test_a(): ...\ndef test_b(): ...\n{mark}def helper(): ...\n"
    )
    found = table.witnesses(tmp_path)
    assert found["tag"] == {"js": ["oracle/test_x::test_a"]}
    assert found["hash of requestorder"] == found["tag"]
    assert found["params"] == {}
    page = make_docs.witness_page(table, tmp_path)
    assert "| tag | `oracle/test_x::test_a` |  |  |" in page
    assert "| params | **none** | | |" in page


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ('"hash of a cat", by="js"', "no message is called 'hash of a cat'"),
        ('"tag", by="us"', "by=js or contracts or recorded"),
        ('"tag"', "by=js or contracts or recorded"),
        ('by="js"', "by=js or contracts or recorded"),
        ('"tag", by="js", of="x"', "by=js or contracts or recorded"),
        ('TAG, by="js"', "plain texts only"),
    ],
)
def test_a_mark_that_says_nothing_is_refused(mark: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(f"@pytest.mark.witness({mark})\ndef test_a(): ...\n")
    with pytest.raises(table.WitnessError, match=words):
        table.witnesses(tmp_path)


def test_every_message_has_one_name() -> None:
    assert len(set(table.NAMES)) == len(table.NAMES) > 80
