"""Frozen, slotted records that are cheap to declare: a start declares a hundred, and makes half of them."""

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_one_at_a_time = RLock()


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """To its users `@dataclass(frozen=True, slots=True)`; `fields`, `replace` and `asdict` know it.

    A dataclass makes its methods where it is declared, one by one, which takes most of a millisecond. Here they are
    made together, with the first instance; what `dataclasses` keeps about the fields, when somebody asks for it. Of
    the options of `field` there are the defaults. A class with cached properties has no slots.
    """
    names = [name for name, hint in cls.__annotations__.items() if "ClassVar" not in str(hint)]
    bases = [base for base in reversed(cls.__mro__[1:]) if "__record__" in vars(base)]
    inherited = {name: default for base in bases for name, default in vars(base)["__record__"].items()}
    defaults = inherited | {name: vars(cls).get(name, MISSING) for name in names}
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    if not any(isinstance(value, cached_property) for value in body.values()):
        body = {name: value for name, value in body.items() if name not in names}
        body["__slots__"] = tuple(name for name in names if name not in inherited)
    body |= {"__record__": defaults, "__match_args__": tuple(defaults), "__setattr__": _refuse, "__delattr__": _refuse}
    body |= {"__repr__": _repr, "__getstate__": _state, "__setstate__": _restore}
    kind: Any = type(cls)
    made = kind(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__

    def begin(self: object, *values: object, **named: object) -> None:
        with _one_at_a_time:
            if made.__init__ is begin:
                made.__init__, made.__eq__, made.__hash__ = _methods(made, defaults)
        made.__init__(self, *values, **named)

    def describe() -> None:
        with _one_at_a_time:
            if isinstance(vars(made)["__dataclass_fields__"], _Later):
                known = dataclass(init=False, repr=False, eq=False, frozen=True)(cls)
                for name in ("__dataclass_fields__", "__dataclass_params__", "__replace__"):
                    if name in vars(known):
                        setattr(made, name, vars(known)[name])

    made.__init__ = begin
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        setattr(made, name, _Later(name, describe))
    found: type[T] = made
    return found


def _methods(made: Any, defaults: dict[str, Any]) -> tuple[Any, Any, Any]:
    """`__init__`, `__eq__` and `__hash__` of a class with these fields, in order, and their defaults."""
    scope: dict[str, Any] = {"put": object.__setattr__, "MISSING": MISSING}
    heads, lines = ["self"], []
    for name, default in defaults.items():
        if isinstance(default, Field):
            factory = default.default_factory
            scope[f"new_{name}"] = factory if factory is not MISSING else lambda kept=default.default: kept
            heads.append(f"{name}=MISSING")
            lines.append(f" put(self, {name!r}, new_{name}() if {name} is MISSING else {name})")
        else:
            scope[f"default_{name}"] = default
            heads.append(name if default is MISSING else f"{name}=default_{name}")
            lines.append(f" put(self, {name!r}, {name})")
    if hasattr(made, "__post_init__"):
        lines.append(" self.__post_init__()")
    mine, others = ("".join(f"{who}.{name}, " for name in defaults) for who in ("self", "other"))
    text = [f"def __init__({', '.join(heads)}):", *lines, " return", "def __eq__(self, other):"]
    text += [f" return ({mine}) == ({others}) if other.__class__ is self.__class__ else NotImplemented"]
    text += ["def __hash__(self):", f" return hash(({mine}))"]
    exec("\n".join(text), scope)
    found = tuple(scope[name] for name in ("__init__", "__eq__", "__hash__"))
    for method in found:
        method.__qualname__ = f"{made.__qualname__}.{method.__name__}"
        method.__module__ = made.__module__
    return found


class _Later:
    """An attribute of a class that is there once somebody asks for it."""

    def __init__(self, name: str, make: Callable[[], None]) -> None:
        self._name, self._make = name, make

    def __get__(self, instance: object, owner: type) -> Any:
        self._make()
        return getattr(owner, self._name)


def _refuse(self: object, name: str, *value: object) -> None:
    raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__record__)
    return f"{type(self).__qualname__}({values})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__record__]


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__record__, state, strict=True):
        object.__setattr__(self, name, value)
