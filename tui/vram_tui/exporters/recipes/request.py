"""What a launch recipe is asked for and what it gives."""

from typing import Literal

from vram_tui.estimator.records import record
from vram_tui.estimator.scenario import Scenario
from vram_tui.text import safe

Language = Literal["sh", "python"]
COMMENT_CHARS = 1000


@record
class Placement:
    """Where the model goes: `devices` in all, `devices_per_node` of them in one machine (0: all in one).

    `ep` is 1 or tp × dp, as in the plans. `ngl` None is every layer; `n_cpu_moe` counts layers whose experts stay in
    RAM; `tensor_split` are llama.cpp's proportions.
    """

    devices: int = 1
    devices_per_node: int = 0
    tp: int = 1
    pp: int = 1
    ep: int = 1
    dp: int = 1
    ngl: int | None = None
    n_cpu_moe: int = 0
    tensor_split: tuple[float, ...] = ()

    @property
    def nodes(self) -> int:
        return -(-self.devices // self.devices_per_node) if self.devices_per_node else 1

    @classmethod
    def of(cls, scenario: Scenario) -> "Placement":
        """The placement that a scenario spells out itself; what it leaves open or `auto` stays at the default."""
        machine = scenario.machine
        tp, pp, dp = scenario.tp or 1, scenario.pp or 1, scenario.dp or 1
        return cls(
            devices=max(len(machine.devices) if machine else 1, tp * pp * dp),
            tp=tp,
            pp=pp,
            ep=scenario.ep or 1,
            dp=dp,
            ngl=scenario.ngl if isinstance(scenario.ngl, int) else None,
            n_cpu_moe=scenario.n_cpu_moe if isinstance(scenario.n_cpu_moe, int) else 0,
            tensor_split=scenario.tensor_split,
        )


@record
class RecipeRequest:
    """A cell to be run: model, format, context, scenario and placement.

    `file` is a local file or folder with the weights, `repo` a hub repository that holds them in this format; without
    either a placeholder is named. `ctx` counts as in the scenario's runtime. `layers` (0: unknown) turns a number of
    layers into the share that LM Studio asks for. `head` is the address of the first node.
    """

    model: str
    name: str
    quant: str
    ctx: int
    scenario: Scenario
    placement: Placement = Placement()
    file: str = ""
    repo: str = ""
    largest_ctx: int | None = None
    layers: int = 0
    head: str = "HEAD_IP"


@record
class Step:
    """One thing to do: a remark (made one harmless line) and a command or code that can be pasted."""

    comment: str
    command: str
    language: Language = "sh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "comment", safe(self.comment, COMMENT_CHARS))


@record
class Recipe:
    """The steps that run a cell on an engine, and what must be known besides."""

    engine: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", tuple(safe(note, COMMENT_CHARS) for note in self.notes))

    @property
    def text(self) -> str:
        """All of it as one text to paste or save: remarks and notes are comments of shell and Python alike."""
        parts = [f"# {step.comment}\n{step.command}" if step.comment else step.command for step in self.steps]
        if self.notes:
            parts.append("\n".join(f"# {note}" for note in self.notes))
        return "\n\n".join(parts) + "\n"
