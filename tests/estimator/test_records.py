"""A record behaves as the frozen, slotted dataclass that it stands for, before and after its first instance."""

import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import pytest

from vram_tui.estimator.records import record


@record
class Base:
    """With a default, a factory and a name of the class."""

    kept: ClassVar[int] = 3
    size: int
    name: str = "none"
    parts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size")

    @property
    def double(self) -> int:
        return self.size * 2


@record
class Derived(Base):
    """Adds one field."""

    more: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plain:
    size: int
    name: str = "none"
    parts: list[int] = field(default_factory=list)
    more: tuple[int, ...] = ()


def fresh() -> type[Any]:
    """A record that nobody has used yet."""

    @record
    class Fresh:
        size: int
        name: str = "none"

    return Fresh


FIRST_USES: list[Callable[[type[Any]], object]] = [
    lambda cls: cls(1),
    fields,
    is_dataclass,
    lambda cls: cls.__dataclass_params__.frozen,
]


@pytest.mark.parametrize("use", FIRST_USES)
def test_whatever_is_asked_first_finishes_the_class(use: Callable[[type[Any]], object]) -> None:
    cls = fresh()
    assert use(cls)
    assert [one.name for one in fields(cls)] == ["size", "name"]
    assert cls(2, name="x") == cls(2, "x")
    assert repr(cls(2)) == f"{cls.__qualname__}(size=2, name='none')"
    assert cls.__match_args__ == ("size", "name")


def test_it_does_what_a_dataclass_does() -> None:
    one, other = Derived(1, more=(2,)), Plain(1, more=(2,))
    assert dataclasses.asdict(one) == dataclasses.asdict(other)
    assert repr(one).partition("(")[2] == repr(other).partition("(")[2]
    assert replace(one, name="x") == Derived(1, "x", [], (2,)) != one
    assert one.double == 2
    assert Derived.kept == 3
    assert one != Base(1)
    assert not hasattr(one, "__dict__")
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)  # for the list in it
    with pytest.raises(ValueError, match="size"):
        Derived(-1)
    with pytest.raises(TypeError, match="size"):
        Derived()  # type: ignore[call-arg]


def test_it_is_frozen_and_hashed_by_its_values() -> None:
    cls = fresh()
    assert len({cls(1), cls(1), cls(2)}) == 2
    with pytest.raises(FrozenInstanceError):
        cls(1).size = 2
    with pytest.raises(FrozenInstanceError):
        del cls(1).size


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_are_equal(again: Callable[[Derived], Derived]) -> None:
    one = Derived(4, "x", [1], (2, 3))
    assert again(one) == one


def test_many_threads_may_make_the_first_one() -> None:
    for _ in range(20):
        cls = fresh()
        made: list[Any] = []
        ready = threading.Barrier(4)

        def work(cls: type[Any] = cls, made: list[Any] = made, ready: threading.Barrier = ready) -> None:
            ready.wait()
            made.append(cls(1))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [cls(1)] * 4


@record
class Remembering:
    """With something worked out once."""

    size: int
    name: str = "none"

    @cached_property
    def double(self) -> int:
        return self.size * 2


def test_a_class_with_cached_properties_remembers() -> None:
    one = Remembering(2)
    assert one.double == one.double == 4
    assert one == Remembering(2, "none")
    assert one != replace(one, size=3)
    with pytest.raises(FrozenInstanceError):
        one.size = 3  # type: ignore[misc]
