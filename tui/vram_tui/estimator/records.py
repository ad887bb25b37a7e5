"""Frozen, slotted records whose methods are made when the first one is: a start declares a hundred and uses a few."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")

_one_at_a_time = RLock()


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """`@dataclass(frozen=True, slots=True)`, finished later; to its users, `fields` and `replace` the same class.

    To make the methods of a dataclass takes most of a millisecond. The standard library makes them here too, when the
    first instance is made or somebody asks for the fields. A class with cached properties has no slots.
    """
    names = [name for name, hint in cls.__annotations__.items() if "ClassVar" not in str(hint)]
    inherited = {name for base in cls.__mro__[1:] for name in getattr(base, "__slots__", ())}
    body = {name: value for name, value in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    if not any(isinstance(value, cached_property) for value in body.values()):
        body = {name: value for name, value in body.items() if name not in names}
        body["__slots__"] = tuple(name for name in names if name not in inherited)
    kind: Any = type(cls)
    made = kind(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__

    def finish() -> None:
        with _one_at_a_time:
            if made.__init__ is begin:
                before = set(vars(cls))
                dataclass(frozen=True)(cls)
                for name in sorted(vars(cls).keys() - before, key="__init__".__eq__):  # that one last
                    setattr(made, name, vars(cls)[name])

    def begin(self: object, *values: object, **named: object) -> None:
        finish()
        made.__init__(self, *values, **named)

    made.__init__ = begin
    made.__getstate__, made.__setstate__ = _state, _restore
    for name in ("__dataclass_fields__", "__dataclass_params__"):
        setattr(made, name, _Later(name, finish))
    found: type[T] = made
    return found


class _Later:
    """An attribute of a class that is there once the class is finished."""

    def __init__(self, name: str, finish: Callable[[], None]) -> None:
        self._name, self._finish = name, finish

    def __get__(self, instance: object, owner: type) -> Any:
        self._finish()
        return getattr(owner, self._name)


def _state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
