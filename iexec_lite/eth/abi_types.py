"""ABI types and the human-readable text they are written in.

``AbiType`` describes one Solidity type; ``parse_type`` and ``parse_signature`` read the text form
(chain.md §3: ``viewDeal(bytes32 dealid) view returns ((address pointer, uint256 price) app)``) and
``type_from_json`` the entries of a JSON ABI. Refused: ``fixed``/``ufixed`` (no compiler makes
them), arrays whose elements take no room (a length word could then ask for 2**256 of them), nesting
beyond ``MAX_DEPTH``, text beyond ``MAX_TEXT``. Reference: Solidity "Contract ABI Specification".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count

from ..errors import ValidationError
from ..frozen import Frozen, replace

__all__ = ["MAX_DEPTH", "AbiType", "Signature", "parse_signature", "parse_type", "type_from_json"]

MAX_DEPTH = (
    32  # arrays and tuples inside each other; far above any contract, below recursion limits
)
MAX_TEXT = 65_536  # characters of one signature
MAX_LENGTH = 1 << 32  # elements of a fixed array: no value of that size fits in a transaction

_TOKEN = re.compile(r"\s*(?:([A-Za-z_$][A-Za-z0-9_$]*)|\[\s*([0-9]{0,20})\s*\]|([(),;]))")
_ELEMENTARY = re.compile(r"(uint|int|bytes)([1-9][0-9]{0,2})?\Z")
_LOCATIONS = frozenset({"memory", "calldata", "storage", "payable"})
_MODIFIERS = frozenset(
    {"constant", "external", "internal", "nonpayable", "override", "payable"}
) | {"anonymous", "private", "public", "pure", "view", "virtual"}
_ALIASES = {"uint": "uint256", "int": "int256"}


class AbiType(Frozen, kw_only=False):
    """One type, as canonical ``name`` and as structure.

    ``kind`` is ``uint``, ``int``, ``address``, ``bool``, ``fixed_bytes`` (also ``function``, whose
    value is 24 bytes), ``bytes``, ``string``, ``array`` or ``tuple``. ``size`` is the bits of an
    integer or the bytes of ``fixed_bytes``; an array has ``item`` and ``length`` (``None``:
    dynamic); a tuple has ``components``. ``label`` is the name of the parameter or component, empty
    if it has none. ``dynamic`` values are reached through an offset; ``head_size`` is the room in
    bytes that the type takes in place (32 for an offset). ``indexed`` matters in events only.
    """

    name: str
    kind: str
    label: str = ""
    size: int = 0
    item: AbiType | None = None
    length: int | None = None
    components: tuple[AbiType, ...] = ()
    indexed: bool = False
    dynamic: bool = False
    head_size: int = 32
    depth: int = 0

    def labelled(self, label: str, indexed: bool = False) -> AbiType:
        """The same type under another parameter name."""
        return replace(self, label=label, indexed=indexed)


class Signature(Frozen, kw_only=False):
    """A parsed declaration: ``keyword`` is ``function``, ``event``, ``error`` or ``""``."""

    keyword: str
    name: str
    inputs: tuple[AbiType, ...]
    outputs: tuple[AbiType, ...] = ()
    modifiers: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """Canonical form, the one that is hashed: ``name(type,type)``."""
        return self.name + "(" + ",".join(item.name for item in self.inputs) + ")"


def elementary_type(text: str) -> AbiType:
    """The type that a single word names (``uint8``, ``address``, ``string`` …)."""
    text = _ALIASES.get(text, text)
    if text == "function":
        return AbiType(text, "fixed_bytes", size=24)
    if text in ("address", "bool"):
        return AbiType(text, text)
    if text in ("bytes", "string"):
        return AbiType(text, text, dynamic=True)
    match = _ELEMENTARY.match(text)
    if match and match[2]:
        kind, size = match[1], int(match[2])
        if kind == "bytes" and size <= 32:
            return AbiType(text, "fixed_bytes", size=size)
        if kind != "bytes" and size <= 256 and size % 8 == 0:
            return AbiType(text, kind, size=size)
    if re.match(r"u?fixed(?:[0-9]+x[0-9]+)?\Z", text):
        raise ValidationError(f"ABI type {text}: fixed-point numbers are not supported")
    raise ValidationError(f"unknown ABI type {text[:80]!r}")


def array_of(item: AbiType, length: int | None) -> AbiType:
    """Fixed (``length`` elements) or dynamic (``None``) array of ``item``."""
    name = f"{item.name}[{'' if length is None else length}]"
    if length is not None and length > MAX_LENGTH:
        raise ValidationError(f"ABI type {name[:80]}: more than {MAX_LENGTH} elements")
    if item.head_size == 0:
        raise ValidationError(f"ABI type {name[:80]}: elements of zero size are not supported")
    dynamic = item.dynamic or length is None
    return AbiType(
        name,
        "array",
        item=item,
        length=length,
        dynamic=dynamic,
        head_size=32 if length is None or dynamic else item.head_size * length,
        depth=_deeper(item.depth),
    )


def tuple_of(components: Sequence[AbiType]) -> AbiType:
    """Tuple (Solidity ``struct``) of ``components``."""
    dynamic = any(item.dynamic for item in components)
    return AbiType(
        "(" + ",".join(item.name for item in components) + ")",
        "tuple",
        components=tuple(components),
        dynamic=dynamic,
        head_size=32 if dynamic else sum(item.head_size for item in components),
        depth=_deeper(max((item.depth for item in components), default=0)),
    )


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ValidationError(f"ABI type nested deeper than {MAX_DEPTH} levels")
    return depth + 1


class _Parser:
    """Recursive descent over the tokens of one declaration."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise ValidationError(f"ABI text must be str, not {type(text).__name__}")
        if len(text) > MAX_TEXT:
            raise ValidationError(f"ABI text longer than {MAX_TEXT} characters")
        self.text = text
        self.tokens = list(self._tokenize(text.rstrip()))
        self.at = 0

    def _tokenize(self, text: str) -> Iterator[str]:
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error(f"unexpected {text[position:].lstrip()[:10]!r}")
            word, length, mark = match.groups()
            yield word or mark or f"[{length}]"
            position = match.end()

    def error(self, what: str) -> ValidationError:
        text = self.text if len(self.text) <= 200 else self.text[:200] + "…"
        return ValidationError(f"cannot read ABI text {text!r}: {what}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.next()
        if token != wanted:
            raise self.error(f"expected {wanted!r}, found {token or 'the end'!r}")

    def word(self) -> str:
        token = self.next()
        if not _is_word(token):
            raise self.error(f"expected a name, found {token or 'the end'!r}")
        return token

    def end(self) -> None:
        if self.peek() == ";":
            self.next()
        if self.peek():
            raise self.error(f"unexpected {self.peek()!r}")

    def type(self, level: int = 0) -> AbiType:
        if level > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels")
        if self.peek() == "tuple":
            self.next()
        if self.peek() == "(":
            result = tuple_of(self.parameters(level + 1))
        else:
            result = elementary_type(self.word())
        while self.peek().startswith("["):
            digits = self.next()[1:-1]
            if digits != "0" and digits.startswith("0"):
                raise self.error(f"array length {digits!r} has a leading zero")
            result = array_of(result, int(digits) if digits else None)
        return result

    def parameters(self, level: int = 0, *, event: bool = False) -> list[AbiType]:
        self.expect("(")
        found: list[AbiType] = []
        if self.peek() == ")":
            self.next()
            return found
        while True:
            found.append(self.parameter(level, event=event))
            if self.peek() != ",":
                self.expect(")")
                return found
            self.next()

    def parameter(self, level: int, *, event: bool) -> AbiType:
        kind = self.type(level)
        label, indexed = "", False
        while _is_word(self.peek()):
            word = self.next()
            if word == "indexed" and event and not indexed and not label:
                indexed = True
            elif label or (word == "indexed" and event):
                raise self.error(f"unexpected {word!r}")
            elif word not in _LOCATIONS:
                label = word
        return kind.labelled(label, indexed)

    def signature(self) -> Signature:
        keyword = ""
        if self.peek() in ("function", "event", "error") and self.tokens[
            self.at + 1 : self.at + 2
        ] != ["("]:
            keyword = self.next()
        name = self.word()
        inputs = tuple(self.parameters(event=keyword != "function"))
        modifiers: set[str] = set()
        outputs: tuple[AbiType, ...] = ()
        while _is_word(self.peek()):
            word = self.next()
            if word == "returns":
                outputs = tuple(self.parameters())
                break
            if word not in _MODIFIERS:
                raise self.error(f"unexpected {word!r}")
            modifiers.add(word)
        self.end()
        return Signature(keyword, name, inputs, outputs, frozenset(modifiers))


def _is_word(token: str) -> bool:
    return token[:1].isalpha() or token[:1] in ("_", "$")


@lru_cache(maxsize=1024)
def parse_type(text: str) -> AbiType:
    """The type that ``text`` writes, e.g. ``(address app, uint256[] prices)[2]``."""
    parser = _Parser(text)
    result = parser.type()
    parser.end()
    return result


@lru_cache(maxsize=1024)
def parse_signature(text: str) -> Signature:
    """A function, event or error declaration; the keyword in front is optional."""
    return _Parser(text).signature()


def type_from_json(entry: object, level: int = 0) -> AbiType:
    """The type of one ``inputs`` / ``outputs`` / ``components`` entry of a JSON ABI."""
    if level > MAX_DEPTH:
        raise ValidationError(f"JSON ABI: nested deeper than {MAX_DEPTH} levels")
    if not isinstance(entry, Mapping):
        raise ValidationError("JSON ABI: a parameter must be an object")
    text, label, indexed = entry.get("type"), entry.get("name", ""), entry.get("indexed", False)
    if not isinstance(text, str) or not isinstance(label, str) or not isinstance(indexed, bool):
        raise ValidationError("JSON ABI: a parameter needs text type and name, and boolean indexed")
    base, bracket, suffix = text.partition("[")
    if base != "tuple":
        return parse_type(text).labelled(label, indexed)
    components = entry.get("components")
    if not isinstance(components, Sequence) or isinstance(components, str):
        raise ValidationError("JSON ABI: a tuple needs a list of components")
    result = tuple_of([type_from_json(item, level + 1) for item in components])
    # The brackets are read as those of a plain type; only then put on the tuple.
    shape, lengths = parse_type("bool" + bracket + suffix), []
    while shape.item is not None:
        lengths.append(shape.length)
        shape = shape.item
    for length in reversed(lengths):
        result = array_of(result, length)
    return result.labelled(label, indexed)


def unique_labels(items: Sequence[AbiType], what: str) -> tuple[str, ...]:
    """Keys for a dictionary of values: the label, or the position as text where there is none."""
    labels = tuple(item.label or str(index) for item, index in zip(items, count(), strict=False))
    if len(set(labels)) != len(labels):
        raise ValidationError(f"{what} has two parameters of one name")
    return labels
