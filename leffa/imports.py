"""Importing a part of a large package without all that its ``__init__`` imports."""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_LOCK = threading.RLock()


class _Deferred(ModuleType):
    """A package whose ``__init__`` runs when something is asked for that no module of it has the name of."""

    def __getattr__(self, name: str) -> Any:
        whole = f"{self.__name__}.{name}"
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if importlib.util.find_spec(whole) is not None:
            return importlib.import_module(whole)
        with _LOCK:
            if type(self) is _Deferred:  # else another thread was first
                self.__class__ = ModuleType  # type: ignore[assignment]
                assert self.__spec__ is not None and self.__spec__.loader is not None
                self.__spec__.loader.exec_module(self)
        return getattr(self, name)


def deferred(*packages: str) -> None:
    """Have the modules of packages imported without the packages' ``__init__``.

    It runs once a name is asked for that only it can give, so that nothing is missing. Packages that are not
    installed, or are imported already, are left alone; a package comes after the one that it is in.
    """
    for name in packages:
        if name in sys.modules:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None or spec.submodule_search_locations is None:
            continue
        module = _Deferred(name)
        module.__spec__, module.__loader__ = spec, spec.loader
        module.__path__ = list(spec.submodule_search_locations)
        module.__file__, module.__package__ = spec.origin, name
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


@contextmanager
def absent(module: str) -> Iterator[None]:
    """While this lasts, importing a module fails as if it were not installed; loaded already, it stays."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


class _StandIn(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def used_later(package: str, module: str) -> Iterator[None]:
    """What is imported meanwhile, and imports a package's module, gets it when it is used.

    For a module of a package whose own ``__init__`` has to run, and at once: ``deferred`` puts it off.
    """
    if package in sys.modules:
        yield
        return
    outer, inner = _StandIn(package), _StandIn(f"{package}.{module}")
    setattr(outer, module, inner)
    stand_ins = {stand_in.__name__: stand_in for stand_in in (outer, inner)}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
