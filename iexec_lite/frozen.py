"""Frozen classes: declared like frozen, slotted dataclasses, and cheap to load.

::

    class Price(Frozen):
        amount: int
        unit: str = "nRLC"

``dataclasses`` writes and compiles the methods of each class anew, half a millisecond a class, and
brings ``inspect``; there are ninety such classes here. Here the methods are those of the base. To
others the classes are dataclasses: ``dataclasses.replace``, ``fields``, ``asdict`` and type
checkers take them as such (PEP 681). Beyond them, ``abstract=True`` says that a class only declares
fields which its subclasses have, so that several such can be bases of one class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType

TYPE_CHECKING = False  # typing takes longer to load than all of this package's --version
if TYPE_CHECKING:
    from inspect import Signature
    from typing import Any, ClassVar, NoReturn, TypeVar

    from typing_extensions import dataclass_transform

    F = TypeVar("F", bound="Frozen")
else:

    def dataclass_transform(**_: object) -> Callable[[type], type]:
        """Python 3.10 has none; only type checkers read it."""
        return lambda cls: cls


__all__ = ["MISSING", "Field", "Frozen", "field", "fields", "replace", "row_of", "unchecked"]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()


class Field:
    """One field: its default, and what it takes part in, as in ``dataclasses.field``."""

    OPTIONS = ("default", "default_factory", "init", "repr", "compare", "hash", "metadata")
    __slots__ = (*OPTIONS, "name", "put")
    name: str
    put: Callable[[object, object], None]  # sets the slot, as the class refuses to

    def __init__(
        self,
        *,
        default: Any = MISSING,
        default_factory: Any = MISSING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
        hash: bool = True,
        metadata: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.hash = hash
        self.metadata = metadata

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is MISSING and self.default_factory is MISSING


def field(**about: Any) -> Any:
    """A field that is more than an annotation and a default."""
    return Field(**about)


class _Shape:
    """What the methods of the base need to know of one class."""

    __slots__ = ("compared", "hashed", "items", "positional", "setters")

    def __init__(self, items: dict[str, Field], kw_only: bool) -> None:
        self.items = items
        self.positional = () if kw_only else tuple(n for n, item in items.items() if item.init)
        self.setters = tuple((name, item.put, item.default) for name, item in items.items())
        self.compared = row_of([n for n, item in items.items() if item.compare])
        self.hashed = row_of([n for n, item in items.items() if item.compare and item.hash])


def row_of(names: Sequence[str]) -> Callable[[object], tuple[Any, ...]]:
    """A function for the values of these attributes (attrgetter of one gives the bare value)."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda owner: tuple(getattr(owner, name) for name in names)


class _Frozen(type):
    """Makes slots of the annotated fields of a class, as annotations are all there is before it."""

    _shape: _Shape

    def __new__(
        mcs,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        kw_only: bool = True,
        abstract: bool = False,
    ) -> _Frozen:
        items: dict[str, Field] = {}
        for base in reversed(bases):
            if isinstance(base, _Frozen):
                items |= base._shape.items
        own: dict[str, Field] = {}
        for each, annotation in namespace.get("__annotations__", {}).items():
            if not abstract and not str(annotation).removeprefix("typing.").startswith("ClassVar"):
                default = namespace.pop(each, MISSING)
                own[each] = default if isinstance(default, Field) else Field(default=default)
        namespace.setdefault("__slots__", tuple(each for each in own if each not in items))
        cls = super().__new__(mcs, name, bases, namespace)
        for each, item in own.items():
            item.name, item.put = each, getattr(cls, each).__set__
        cls._shape = _Shape(items | own, kw_only)
        return cls


class _DataclassFields:
    """``__dataclass_fields__``, made when somebody asks: ``dataclasses`` is not loaded before."""

    def __get__(self, instance: object, cls: type[Frozen]) -> dict[str, Any]:
        from dataclasses import field, make_dataclass

        made = []
        for item in fields(cls):
            options = {name: getattr(item, name) for name in Field.OPTIONS}
            options = {name: value for name, value in options.items() if value is not MISSING}
            made.append((item.name, object, field(**options)))
        found: Any = make_dataclass(cls.__name__, made, kw_only=not cls._shape.positional)
        return dict(found.__dataclass_fields__)


class _Signature:
    """``__signature__``, for ``help`` and ``inspect.signature``: the fields, as arguments."""

    def __get__(self, instance: object, cls: type[Frozen]) -> Signature:
        from inspect import Parameter, Signature

        types: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            types |= getattr(base, "__annotations__", {})
        kind = Parameter.POSITIONAL_OR_KEYWORD if cls._shape.positional else Parameter.KEYWORD_ONLY
        made = []
        for item in fields(cls):
            if item.init:
                default = ... if item.default_factory is not MISSING else item.default
                default = Parameter.empty if item.required else default
                made.append(
                    Parameter(item.name, kind, default=default, annotation=types[item.name])
                )
        return Signature(made, return_annotation=None)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Frozen(metaclass=_Frozen):
    """Base of the frozen classes: made, compared, hashed, shown, copied and pickled by its fields.

    What is made without a field that has no default, or with one that does not exist, is a
    TypeError; setting an attribute a ``dataclasses.FrozenInstanceError``. Copying and pickling make
    the object anew, so what ``__post_init__`` checks is checked again.
    """

    _shape: ClassVar[_Shape]
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Any]]
    else:
        __dataclass_fields__ = _DataclassFields()
        __signature__ = _Signature()

    def __init__(self, *args: Any, **values: Any) -> None:
        cls = type(self)
        shape = cls._shape
        if args:
            if len(args) > len(shape.positional):
                raise TypeError(
                    f"{cls.__name__}() takes {len(shape.positional)} positional arguments, "
                    f"got {len(args)}"
                )
            placed = dict(zip(shape.positional, args, strict=False))
            twice = placed.keys() & values.keys()
            if twice:
                raise TypeError(f"{cls.__name__}() got {', '.join(sorted(twice))} twice")
            values |= placed
        missing = []
        for name, item in shape.items.items():
            if item.init and name in values:
                item.put(self, values.pop(name))
            elif item.default is not MISSING:
                item.put(self, item.default)
            elif item.default_factory is not MISSING:
                item.put(self, item.default_factory())
            elif item.init:
                missing.append(name)
        if missing or values:
            what = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(values)}"
            raise TypeError(f"{cls.__name__}() {what}")
        self.__post_init__()

    def __post_init__(self) -> None:
        """What is left to do when the fields are set."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self.__delattr__(name)

    def __delattr__(self, name: str) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"{type(self).__name__} cannot be changed: {name}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        row = type(self)._shape.compared
        return row(self) == row(other)

    def __hash__(self) -> int:
        return hash(type(self)._shape.hashed(self))

    def __repr__(self) -> str:
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        return _made, (type(self), values)

    def __replace__(self: F, **changes: Any) -> F:
        made, (cls, values) = Frozen.__reduce__(self)
        return made(cls, values | changes)  # type: ignore[no-any-return]


def _made(cls: type[F], values: dict[str, Any]) -> F:
    return cls(**values)


def unchecked(cls: type[F], values: Mapping[str, Any]) -> F:
    """An object of values that are known to be right: ``__post_init__`` is left out.

    KeyError where a field has neither value nor default.
    """
    made = object.__new__(cls)
    for name, put, default in cls._shape.setters:
        value = values.get(name, default)
        if value is MISSING:
            raise KeyError(name)
        put(made, value)
    return made


def fields(owner: Frozen | type[Frozen]) -> tuple[Field, ...]:
    """The fields of a frozen class or object, in order."""
    return tuple(owner._shape.items.values())


def replace(owner: F, **changes: Any) -> F:
    """The same with some fields changed, made anew."""
    return owner.__replace__(**changes)
