"""Where the shipped catalogue lies, and the user's folders."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


class CatalogMissingError(FileNotFoundError):
    """No catalogue was found beside the program."""


def catalog_root() -> Path:
    """The catalogue inside an installed package, else the one of a checkout. Raises CatalogMissingError."""
    for root in (PACKAGE / "data" / "catalog", PACKAGE.parent.parent / "catalog"):
        if (root / "models").is_dir():
            return root
    raise CatalogMissingError(f"no catalogue beside {PACKAGE}: install the package again or give --catalog DIR")


def user_models_dir() -> Path | None:
    """The folder of the user's own models (XDG configuration on Linux); None where the system names none."""
    from platformdirs import user_config_path

    return _absolute(user_config_path, "models")


def user_accelerators_dir() -> Path | None:
    """The folder of the user's own accelerators, beside the models; None where the system names none."""
    from platformdirs import user_config_path

    return _absolute(user_config_path, "accelerators")


def cache_dir() -> Path | None:
    """Where a compiled catalogue of a checkout is kept; None where the system names no such place."""
    from platformdirs import user_cache_path

    return _absolute(user_cache_path, "")


def _absolute(where: "object", inner: str) -> Path | None:
    try:
        folder = where("vram-tui", appauthor=False)  # type: ignore[operator]
    except (RuntimeError, OSError):
        return None
    return Path(folder, inner) if folder.is_absolute() else None
