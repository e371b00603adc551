"""The section `engine`, and that of another model (`translation.engine`, `eval.judge`)."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from lidr_plugin.config.section import HOW, Number, PathText, Section

_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size")


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    # A port that is none raises ValueError too; DNS has no longer names.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or len(parts.hostname) > 253:
        raise ValueError(f"{url[:200]!r} is not an http(s) address, such as http://127.0.0.1:8000/v1")
    return url


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    """Numbers need no quotes: an environment has texts only."""
    if not isinstance(value, dict):
        return value
    return {
        name: str(item) if isinstance(item, int | float) and not isinstance(item, bool) else item
        for name, item in value.items()
    }


def _check_env(env: dict[str, str]) -> dict[str, str]:
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            raise ValueError(f"{name!r} cannot be set: a name has no '=', and neither name nor value a NUL")
    return env


Url = Annotated[str, AfterValidator(_check_url)]


class EngineSettings(Section):
    """What answers the requests, and how it is asked."""

    backend: Literal["vllm", "openai", "transformers"] | None = Field(default=None, json_schema_extra=HOW)
    """`openai`: any compatible server. `vllm`: a server that lidr starts and stops. `transformers`: in this process.
    Null: `openai` if there is a `base_url`, otherwise `vllm` if it is installed, otherwise `transformers`."""
    concurrency: int = Field(default=256, ge=1, le=100_000, json_schema_extra=HOW)
    """Maximum number of requests in flight."""
    timeout: Number = Field(default=600.0, gt=0, le=1e7, json_schema_extra=HOW)
    """Seconds allowed for one request. A server that lidr started and that gives no answer at all for so long is started again."""
    max_retries: int = Field(default=5, ge=0, le=1000, json_schema_extra=HOW)
    """Maximum number of retries after a connection error, a timeout, a 429 or a 5xx."""
    max_failures: int = Field(default=0, ge=0, le=1_000_000_000, json_schema_extra=HOW)
    """Number of requests that may fail for good before the run fails."""
    weights: str | None = None
    """Identity of the weights, part of the key of every stored completion. Null: the fingerprint of a directory, the revision of
    a Hub id, or for `openai` the name of the served model."""
    base_url: Annotated[list[Url], BeforeValidator(_as_list, json_schema_input_type=str | list[str])] = Field(
        default=[], json_schema_extra=HOW
    )
    """openai: the address (`http://127.0.0.1:8000/v1`), or a list of addresses to spread the requests over."""
    model: str | None = None
    """openai: name of the served model. Null: `model_name_or_path`."""
    api_key_env: str = Field(default="OPENAI_API_KEY", json_schema_extra=HOW)
    """openai: name of the environment variable that holds the API key. The key itself is never written to a file."""
    python: PathText | None = Field(default=None, json_schema_extra=HOW)
    """vllm: Python interpreter that has vLLM. Null: that of `lidr env create vllm`, otherwise the one that runs lidr."""
    # Those of them that change answers are part of the identity that completions are stored under.
    args: dict[str, Any] = Field(default={}, json_schema_extra=HOW)
    """vllm: arguments of its server; `{tensor_parallel_size: 8}` is `--tensor-parallel-size 8`."""
    replicas: int = Field(default=1, ge=1, le=256, json_schema_extra=HOW)
    """vllm: number of servers that lidr starts, each on GPUs of its own (as many as its `args` say; on a CPU with its share of
    cores and memory). Requests are spread over them; one that dies is started again while the others go on."""
    env: Annotated[
        dict[str, str],
        BeforeValidator(_as_texts, json_schema_input_type=dict[str, str | float | bool]),
        AfterValidator(_check_env),
    ] = Field(default={}, json_schema_extra=HOW)
    """vllm: environment variables of its server, such as `{VLLM_CPU_KVCACHE_SPACE: 4}` (GiB for the cache on a CPU, which lidr
    otherwise sizes by what the run needs and the memory that is free)."""
    startup_timeout: Number = Field(default=1800.0, gt=0, le=1e7, json_schema_extra=HOW)
    """vllm: seconds that the server may take to start."""
    device: str | None = Field(default=None, json_schema_extra=HOW)
    """transformers: `cuda`, `cuda:1`, `mps` or `cpu`. Null: a GPU if there is one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """transformers: type of the weights; `auto` is that of the checkpoint."""
    batch_size: int = Field(default=16, ge=1, le=100_000, json_schema_extra=HOW)
    """transformers: number of texts generated together."""
    prompt_price: Number = Field(default=0.0, ge=0, le=1e9, json_schema_extra=HOW)
    """Price of a million prompt tokens, in the currency of `max_cost`. `--dry-run` and `lidr plan` tell what a run comes to."""
    completion_price: Number = Field(default=0.0, ge=0, le=1e9, json_schema_extra=HOW)
    """Price of a million new tokens."""
    max_cost: Number | None = Field(default=None, gt=0, le=1e15, json_schema_extra=HOW)
    """Maximum cost of the completions of one command, including those it finds in the store. It is never passed: before a
    request is sent, the most that it can cost is put aside. Null: no maximum."""

    @property
    def gpus(self) -> int:
        """GPUs that its servers take."""
        return self.replicas * self.gpus_of_a_server

    @property
    def gpus_of_a_server(self) -> int:
        """GPUs that one of its servers takes, by its arguments."""
        product = 1
        for name, value in self.args.items():
            product *= value if name.replace("-", "_") in _PARALLEL and isinstance(value, int) else 1
        return max(1, product)

    @field_validator("max_cost")
    @classmethod
    def _priced(cls, max_cost: float | None, beside: ValidationInfo) -> float | None:
        if max_cost is not None and not any(beside.data.get(f"{part}_price", 1) for part in ("prompt", "completion")):
            raise ValueError("needs prompt_price and completion_price, for lidr has no price list")
        return max_cost

    @model_validator(mode="after")
    def _coherent(self) -> "EngineSettings":
        if self.backend == "openai" and not self.base_url:
            raise ValueError("backend openai needs a base_url, such as http://127.0.0.1:8000/v1")
        if self.backend in ("vllm", "transformers") and self.base_url:
            raise ValueError(f"base_url belongs to backend openai, not {self.backend}")
        if self.replicas > 1 and (self.base_url or self.backend == "transformers"):
            raise ValueError("replicas are servers that lidr starts: they belong to backend vllm")
        return self


class OtherModel(EngineSettings):
    """A model or service other than the one that is trained. It has the keys of `engine`."""

    model_name_or_path: PathText | None = None
    """Hub id or directory of the model. Null: the served `model`."""

    @model_validator(mode="after")
    def _named(self) -> "OtherModel":
        if not (self.model_name_or_path or self.model):
            raise ValueError("another model needs a name: set model (openai) or model_name_or_path")
        return self

    @property
    def name(self) -> str:
        """The model: a Hub id, a directory or the name it is served under."""
        return str(self.model_name_or_path or self.model)
