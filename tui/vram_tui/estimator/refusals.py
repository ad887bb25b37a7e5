"""What a runtime will not do, with its reason."""


class Refusal(ValueError):  # noqa: N818 - a refusal is an answer, not a fault
    """A scenario that the runtime refuses. The message is the reason; `field` names the setting to change."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field
