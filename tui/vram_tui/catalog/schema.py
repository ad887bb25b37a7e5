"""The strict schema of a model's file: validation in CI and of the user's files, and the JSON schema for editors."""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from dataclasses import Field as RecordField
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from vram_tui.catalog.counting import READINGS
from vram_tui.catalog.field_words import DOCS, WORDS
from vram_tui.catalog.notation import FEED_FORWARDS, MIXERS, RENAMED
from vram_tui.estimator.blocks import DirectIndexer, LatentIndexer, Relative
from vram_tui.estimator.model import AltUp, Gguf, HyperConnections, PerLayerInput, Tower

Whole = Annotated[int, Field(ge=0, le=1 << 50, strict=True)]
Positive = Annotated[int, Field(ge=1, le=1 << 50, strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class Strict(BaseModel):
    """A table that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Context(Strict):
    """How far the model reads."""

    native: Positive
    """Tokens of context that the model was made for, as its configuration states them."""


class Parameters(Strict):
    """What is published about the number of parameters."""

    published: Positive | None = None
    """The published total, exactly."""
    counts: Annotated[str, Field(pattern=rf"^({'|'.join(READINGS)})(\+({'|'.join(READINGS)}))*$")] | None = None
    """What that total adds up, such as main+mtp."""
    source: Text | None = None
    """Where the published total is stated."""
    active_advertised: Positive | None = None
    """Active parameters as the vendor advertises them."""


def _type(field: RecordField[Any]) -> Any:
    name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    if name == "str" and field.name in WORDS:
        return Literal[WORDS[field.name]]
    if field.name == "indexer":
        return Indexer
    kinds: Mapping[str, Any] = {"int": Whole, "bool": bool, "str": str, "bool | None": bool | None}
    if field.name == "relative":
        return _record(Relative)
    if field.name in ("fused", "left_out", "parts"):
        return list[Text]
    return kinds[name]


def _record(record: type[Any], *, optional: bool = False, **extra: Any) -> type[Strict]:
    """A strict table with the fields of a record: the schema cannot drift from the blocks."""
    shape: dict[str, Any] = dict(extra)
    for field in fields(record):
        name = RENAMED.get(field.name, field.name)
        required = field.default is MISSING and field.default_factory is MISSING and not optional
        doc = Field(default=... if required else None, description=DOCS.get(name))
        shape[name] = (_type(field) if required else _type(field) | None, doc)
    found: type[Strict] = create_model(record.__name__, __base__=Strict, __doc__=record.__doc__, **shape)
    return found


def _indexer_tag(value: Any) -> str:
    if isinstance(value, str):
        return "none"
    return "direct" if isinstance(value, dict) and value.get("style") == "direct" else "latent"


Indexer: Any = Annotated[
    Annotated[Literal["none"], Tag("none")]
    | Annotated[_record(DirectIndexer, style=(Literal["direct"], ...)), Tag("direct")]
    | Annotated[_record(LatentIndexer), Tag("latent")],
    Discriminator(_indexer_tag),
]


def _like(kinds: Mapping[str, type[Any]]) -> type[Strict]:
    """A part that copies another one: any field of any kind may change."""
    shape: dict[str, Any] = {"like": (Text, Field(description="Name of an earlier part that this one copies."))}
    for record in kinds.values():
        for field in fields(record):
            name = RENAMED.get(field.name, field.name)
            shape[name] = (_type(field) | None, Field(default=None, description=DOCS.get(name)))
    found: type[Strict] = create_model("Like", __base__=Strict, **shape)
    return found


def _part(kinds: Mapping[str, type[Any]]) -> Any:
    def tag(value: Any) -> str:
        if not isinstance(value, dict) or "like" in value:
            return "like"
        return str(value.get("kind", "missing"))

    union: Any = Annotated[_like(kinds), Tag("like")]
    for kind, record in kinds.items():
        union = union | Annotated[_record(record, kind=(Literal[kind], ...)), Tag(kind)]
    return Annotated[union, Discriminator(tag)]


class Architecture(Strict):
    """Facts of the model as a whole."""

    hf_class: Text | None = None
    """Class in Hugging Face Transformers."""
    model_type: Text | None = None
    """Type whose traits the blocks were read with."""
    native_dtype: Text | None = None
    """How the published weights are stored."""
    activation: Text | None = None
    """Activation of the feed-forward."""
    position: Literal["RoPE", "none"] | None = None
    """Position embedding."""
    rope_theta: Annotated[float, Field(gt=0)] | None = None
    """Base of the rotary frequencies."""
    hidden_size: Positive
    """Width of the residual stream."""
    vocab_size: Positive
    """Rows of the embedding."""
    tied_embeddings: bool = False
    """The head is the embedding."""
    norm: Literal["rms", "layer"] = "rms"
    """Kind of the norms; layer norms have biases."""
    norms: Literal["pre", "post", "sandwich", "pre+post-ffn", "parallel", "none"] = "pre"
    """Norms of a layer: one for each half, two, three in all, one, none."""
    final_norm: bool = True
    """A norm before the head."""
    embedding_norm: bool = False
    """A norm after the embedding."""
    head_bias: bool = False
    """The head has a bias."""
    extra_embedding_rows: Whole = 0
    """Rows of the embedding that the head lacks."""
    position_ids: Positive = 1
    """Positions of a token: four where pictures have time, row and column (M-RoPE)."""
    residual_vectors: Whole = 0
    """Vectors as wide as the hidden size in each layer."""
    residual_conv: Whole = 0
    """Kernel of a convolution over the residual stream, for each half."""
    lookup_tables: Whole = 0
    """Parameters of n-gram tables that are looked up, never multiplied."""
    per_layer_input: _record(PerLayerInput) | None = None  # type: ignore[valid-type]
    """A second embedding table that feeds every layer."""
    altup: _record(AltUp) | None = None  # type: ignore[valid-type]
    """Alternating updates."""
    hyper_connections: _record(HyperConnections) | None = None  # type: ignore[valid-type]
    """Several residual streams."""


class StackPart(Strict):
    """A run of layers, repeated."""

    repeat: Positive = 1
    """How often the layers follow each other."""
    layers: Annotated[list[Text], Field(min_length=1)]
    """Layers as "mixer+feed_forward", or one name where a layer has only that half."""


class MtpPart(Strict):
    """Multi-token-prediction layers beside the trunk."""

    layers: Annotated[list[Text], Field(min_length=1)]
    """Layers, written as those of the trunk."""
    repeat: Positive = 1
    """How often they follow each other."""
    norms: Whole = 3
    """Norms beside those of the layers."""
    projection: bool = True
    """A projection joins the embedding and the hidden state."""
    head: Literal["shared", "own"] = "shared"
    """Head of the model, or one of their own."""
    hyper: bool = True
    """They have the model's hyper-connections."""
    hyper_head: bool = False
    """Their streams are joined before the head."""


class FigureRow(Strict):
    """One memory figure of a published page."""

    quant: Text
    context: Positive
    gib: Annotated[float, Field(gt=0)]
    verdict: str = ""
    bytes_per_weight: Annotated[float, Field(ge=0)] = 0.0
    quality: str = ""


class PublishedTable(Strict):
    """What a page or card says, where it differs from the blocks: shown beside them, never used unless asked for."""

    source: Text
    name: Text | None = None
    parameters: Positive | None = None
    active: Positive | None = None
    layers: Positive | None = None
    hidden_size: Positive | None = None
    heads: Positive | None = None
    kv_heads: Positive | None = None
    head_dim: Positive | None = None
    context: Positive | None = None
    experts: Positive | None = None
    experts_active: Positive | None = None
    kind: Text | None = None
    attention: Text | None = None
    activation: Text | None = None
    normalization: Text | None = None
    position: Text | None = None
    license: Text | None = None
    released: date | None = None
    modalities: list[Text] = []
    tags: list[Text] = []
    overhead_percent: Annotated[float, Field(ge=0)] | None = None
    text: dict[str, Positive] = {}
    """Values that the running text gives otherwise than the table."""
    figures: list[FigureRow] = []


class FileRow(Strict):
    """A file of the model whose tensors were read: exact in its own format. An import writes this."""

    quant: Text
    """Format of the file: an id of the catalogue, or a name of its own that starts with "file:"."""
    like: Text
    """The known format that it is closest to: the engines that load that one load the file."""
    kind: Literal["gguf", "safetensors"]
    """Form of the file."""
    tensor_bytes: Whole
    """All tensors, without the header and without padding."""
    loaded_bytes: Whole
    """Tensors that an engine loads: without multi-token-prediction layers."""
    device_bytes: Whole
    """What one accelerator holds when everything is offloaded."""
    host_bytes: Whole = 0
    """Embedding tables that stay in RAM."""
    mtp_device_bytes: Whole = 0
    """What multi-token-prediction layers add where they are loaded."""
    head_bytes: Whole = 0
    """What belongs to no layer, on the device."""
    layers: list[Annotated[list[Whole], Field(min_length=3, max_length=3)]] = []
    """Runs of layers as [how many, dense bytes, expert bytes]; with head_bytes they are device_bytes."""
    types: str = ""
    """Shares of the tensor types."""
    path: str = ""
    """Where the file was read."""


class ModelFile(Strict):
    """A model of the catalogue. Its id is the path of the file: `models/<vendor>/<model>.toml`."""

    name: Text
    """Name as people write it."""
    family: Text
    """Family that it is listed under."""
    vendor: Text
    """Who made it."""
    license: Text
    """Licence, or "unknown" where no source states one."""
    released: date | Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")] | None = None
    """Day of release, or the month as "2025-04"; left out where no source states one."""
    modalities: Annotated[list[Literal["text", "image", "audio", "video"]], Field(min_length=1)]
    """What it takes in."""
    tags: list[Text] = []
    """Lower-case words for search."""
    about: Text
    """A few sentences in the catalogue's own words."""
    evidence: Literal["complete", "partial"] = "complete"
    """partial: some values are inferred, not stated by a source."""
    partial_fields: list[Text] = []
    """Which values are inferred."""
    notes: list[Text] = []
    """What a person should know before trusting the figures."""
    sources: Annotated[list[Text], Field(min_length=1)]
    """Where the facts come from."""
    checked: date
    """Day on which the entry was last checked."""
    context: Context | None = None
    """Native context."""
    parameters: Parameters | None = None
    """Published counts, to check the blocks against."""
    architecture: Architecture
    """Facts of the model as a whole."""
    mixer: dict[str, _part(MIXERS)] = {}  # type: ignore[valid-type]
    """Named mixers."""
    feed_forward: dict[str, _part(FEED_FORWARDS)] = {}  # type: ignore[valid-type]
    """Named feed-forwards."""
    stack: Annotated[list[StackPart], Field(min_length=1)]
    """The trunk."""
    mtp: MtpPart | None = None
    """Multi-token-prediction layers."""
    towers: list[_record(Tower)] = []  # type: ignore[valid-type]
    """Vision and audio encoders: a count each, never in the language model's file."""
    gguf: _record(Gguf) | None = None  # type: ignore[valid-type]
    """What llama.cpp's converter changes."""
    files: list[FileRow] = []
    """Files whose tensors were read."""
    published: PublishedTable | None = None
    """What a page says otherwise."""


def json_schema() -> dict[str, Any]:
    """The JSON schema that editors complete from."""
    schema = ModelFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def schema_text() -> str:
    import json

    return json.dumps(json_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
