"""The key-values of a GGUF file under its architecture's name: numbers, for the whole model or for a layer."""

from collections.abc import Mapping


class BlocksError(ValueError):
    """Metadata that no blocks can be made of: the message names the key."""


class Keys:
    """Typed reading of the architecture's own keys."""

    def __init__(self, kv: Mapping[str, object]) -> None:
        architecture = kv.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise BlocksError("general.architecture: the file does not name its architecture")
        self.architecture = architecture
        self._kv = kv

    def _raw(self, key: str) -> object:
        return self._kv.get(f"{self.architecture}.{key}")

    def number(self, key: str, default: int | None = None) -> int:
        """A whole number; of a list the first. Raises BlocksError where it is missing and has no default."""
        value = self._raw(key)
        if isinstance(value, (list, tuple)):
            value = value[0] if value else None
        if value is None:
            if default is None:
                raise BlocksError(f"{self.architecture}.{key} is missing")
            return default
        return self._whole(key, value)

    def per_layer(self, key: str, layer: int, default: int = 0) -> int:
        """The layer's own number where the key holds a list (beyond its end the default), else the one number."""
        value = self._raw(key)
        if isinstance(value, (list, tuple)):
            return self._whole(key, value[layer]) if layer < len(value) else default
        return default if value is None else self._whole(key, value)

    def has(self, key: str) -> bool:
        return self._raw(key) is not None

    def is_list(self, key: str) -> bool:
        return isinstance(self._raw(key), (list, tuple))

    def _whole(self, key: str, value: object) -> int:
        if isinstance(value, (bool, int, float)) and 0 <= value < 1 << 40 and value == int(value):
            return int(value)
        raise BlocksError(f"{self.architecture}.{key}: {value!r} is no count")
