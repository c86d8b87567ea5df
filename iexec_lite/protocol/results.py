"""Where a result lies, and whether the archive is the one the workers agreed on.

The chain keeps a location (chain.md §6.1) and a digest. Workers compute the digest from what the
app names in ``computed.json`` (worker.md §1.5, §2.2): the sha256 of one file, keccak256 of the
concatenated sha256 of a folder's files in name order, or keccak256 of the callback bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import ValidationError
from ..eth.codec import from_hex, load_json, to_hex
from ..eth.crypto import keccak, sha256_new
from .archive import Archive

__all__ = ["archive_digest", "parse_location"]

COMPUTED_FILE = "computed.json"
MAX_COMPUTED_FILE = 1 << 20  # bytes
ROOT = "/iexec_out"


def parse_location(results: bytes) -> dict[str, object]:
    """``{"storage": …, "location": …}`` of a task's ``results``; anything else is no result."""
    found = _json_object(results)
    return {"storage": "none"} if found is None else found


def archive_digest(archive: Archive, *, callback: bool) -> str | None:
    """The digest that workers report for this plain archive, ``0x`` bytes32.

    None where the archive has no usable ``computed.json`` and nothing can be checked. Members are
    read in pieces, never extracted. Raises DecodingError for a damaged archive.
    """
    names = {member.name for member in archive.members if not member.is_folder}
    if COMPUTED_FILE not in names:
        return None
    computed = _json_object(archive.read(COMPUTED_FILE, MAX_COMPUTED_FILE))
    if computed is None:
        return None
    if callback:
        return _callback_digest(computed)
    path = computed.get("deterministic-output-path")
    if not isinstance(path, str) or not (path + "/").startswith(ROOT + "/"):
        return None
    return _path_digest(archive, names, path[len(ROOT) :].strip("/"))


def _json_object(data: bytes) -> dict[str, object] | None:
    try:
        found = load_json(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _callback_digest(computed: Mapping[str, object]) -> str | None:
    try:
        data = from_hex(computed.get("callback-data"))
    except ValidationError:
        return None
    return to_hex(keccak(data))


def _path_digest(archive: Archive, names: set[str], path: str) -> str | None:
    """Digest of a file or a folder, ``path`` being relative to the archive's root."""
    if path in names:
        return to_hex(_sha256(archive, path))
    prefix = path + "/" if path else ""
    inside = [name for name in names if name.startswith(prefix)]
    if not inside:
        return None
    # Java sorts by UTF-16 code unit; what lies in sub-folders does not count (worker.md §2.2)
    files = sorted(
        (name for name in inside if "/" not in name[len(prefix) :]),
        key=lambda name: name.encode("utf-16-be"),
    )
    return to_hex(keccak(b"".join(_sha256(archive, name) for name in files)))


def _sha256(archive: Archive, name: str) -> bytes:
    digest = sha256_new()
    for piece in archive.chunks(name):
        digest.update(piece)
    return digest.digest()
