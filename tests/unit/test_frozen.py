"""Frozen classes: what dataclasses would do, without dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from typing import ClassVar, Generic, TypeVar

import pytest

from iexec_lite.frozen import Frozen, field, fields, replace, unchecked

T = TypeVar("T")


class Point(Frozen, kw_only=False):
    """Positional, with each kind of default."""

    UNIT: ClassVar[str] = "metre"
    x: int
    y: int = 0
    names: list[str] = field(default_factory=list, repr=False, hash=False)
    norm: int = field(init=False, compare=False, default=0)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x")
        object.__setattr__(self, "norm", abs(self.x) + abs(self.y))


class Named(Frozen, abstract=True):
    """Declares a field that its subclasses have."""

    name: str


class Place(Point, Named, Generic[T]):
    """Keyword only, with a field of its own and one of another base."""

    y: int = 7
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Twin:
    """What ``Point`` is like as a dataclass."""

    x: int
    y: int = 0
    names: list[str] = dataclasses.field(default_factory=list, repr=False, hash=False)
    norm: int = dataclasses.field(init=False, compare=False, default=0)


def test_values_defaults_and_order() -> None:
    point = Point(3, y=-4)
    assert (point.x, point.y, point.names, point.norm, point.UNIT) == (3, -4, [], 7, "metre")
    assert Point(3).names is not Point(3).names
    assert [each.name for each in fields(Place)] == ["x", "y", "names", "norm", "name"]
    assert [each.name for each in fields(Point) if each.required] == ["x"]
    place: Place[int] = Place(name="here", x=1)
    assert (place.y, place.name) == (7, "here")


def test_it_is_compared_hashed_and_shown_as_a_dataclass() -> None:
    for given in ((1,), (1, 2), (1, 2, ["a"])):
        assert repr(Point(*given)).split("(")[1][:9] == repr(Twin(*given)).split("(")[1][:9]
        assert Point(*given) == Point(*given)
        assert hash(Point(*given)) == hash(Twin(*given))
    assert repr(Point(1, 2)) == "Point(x=1, y=2, norm=3)"
    assert Point(1) != Point(2)
    assert Point(1) != Twin(1)
    assert Point(1, 7) != Place(x=1, name="")


@pytest.mark.parametrize(
    ("args", "values", "what"),
    [
        ((), {}, "Point() lacks x"),
        ((1, 2, [], 3), {}, "Point() takes 3 positional arguments, got 4"),
        ((1,), {"x": 2}, "Point() got x twice"),
        ((1,), {"z": 2}, "Point() has no z"),
        ((1,), {"norm": 2}, "Point() has no norm"),
    ],
)
def test_wrong_arguments(args: tuple[int, ...], values: dict[str, int], what: str) -> None:
    with pytest.raises(TypeError) as caught:
        Point(*args, **values)  # type: ignore[arg-type]
    assert str(caught.value) == what
    with pytest.raises(TypeError):
        Twin(*args, **values)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="takes 0 positional"):
        Place(1)  # type: ignore[misc]


def test_nothing_can_be_changed() -> None:
    point = Point(1)
    for name in ("x", "norm", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot be changed: {name}"):
            setattr(point, name, 2)
        with pytest.raises(dataclasses.FrozenInstanceError):
            delattr(point, name)
    assert not hasattr(point, "__dict__")
    assert not hasattr(Place(x=1, name=""), "__dict__")


def test_copies_are_made_anew_and_checked() -> None:
    point = Point(1, 2, ["a"])
    for made in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert made == point
        assert made is not point
        assert made.norm == 3
    assert replace(point, y=5) == Point(1, 5, ["a"])
    with pytest.raises(ValueError, match="x"):
        replace(point, x=-1)
    with pytest.raises(TypeError, match="has no z"):
        replace(point, z=1)


def test_dataclasses_takes_it_for_one() -> None:
    point = Point(1, 2, ["a"])
    assert dataclasses.is_dataclass(point)
    assert dataclasses.asdict(point) == dataclasses.asdict(Twin(1, 2, ["a"])) | {"norm": 3}
    assert dataclasses.replace(point, y=5) == Point(1, 5, ["a"])
    ours, theirs = dataclasses.fields(Point), dataclasses.fields(Twin)
    for mine, other in zip(ours, theirs, strict=True):
        for about in ("name", "default", "default_factory", "init", "repr", "compare"):
            assert getattr(mine, about) == getattr(other, about)
    assert all(each.kw_only for each in dataclasses.fields(Place))


def test_its_signature_is_that_of_its_fields() -> None:
    assert (
        str(inspect.signature(Point))
        == "(x: 'int', y: 'int' = 0, names: 'list[str]' = Ellipsis) -> None"
    )
    assert str(inspect.signature(Place)).startswith("(*, x: 'int', y: 'int' = 7, ")


def test_what_is_known_to_be_right_is_not_checked() -> None:
    point = unchecked(Point, {"x": -1, "names": []})
    assert (point.x, point.y, point.norm) == (-1, 0, 0)
    with pytest.raises(KeyError, match="names"):
        unchecked(Point, {"x": 1})


def test_signing_an_order_loads_neither_dataclasses_nor_inspect_nor_logging() -> None:
    code = (
        "import sys\nfrom iexec_lite.eth import crypto\n"
        "crypto.PrivateKey(b'1' * 32).sign(crypto.keccak(b''))  # dependencies load what they do\n"
        "before = set(sys.modules)\nfrom iexec_lite import IExec\n"
        "order = IExec.offline('0x' + '11' * 32, chain=134).order\n"
        "order.sign_apporder(order.create_apporder('0x' + '12' * 20))\n"
        "loaded = set(sys.modules) - before\n"
        "print(sorted({'dataclasses', 'inspect', 'logging', 'argparse'} & loaded))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_told_without_argparse_or_typing() -> None:
    code = (
        "import sys\nfrom iexec_lite.cli import main\nmain(['--version'])\n"
        "print(sorted({'argparse', 'dataclasses', 'json', 'typing'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-S", "-c", code]  # a site-packages may load anything
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["[]"]
