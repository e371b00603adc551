"""The sections of who answers."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lidr_plugin.config.section import HOW, Number, Section


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url!r} is no http(s) address; write http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong in the address: export the key and name it in api_key_env")
    return url


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Url = Annotated[str, AfterValidator(_check_url)]


class EngineSettings(Section):
    """Who answers the requests."""

    backend: Literal["vllm", "openai", "transformers"] | None = Field(default=None, json_schema_extra=HOW)
    """`openai`: any compatible server; `vllm`: a server that lidr starts and stops; `transformers`: in this process.
    Null: `openai` if there is a `base_url`, else `vllm` if it is installed, else `transformers`."""
    concurrency: int = Field(default=256, ge=1, json_schema_extra=HOW)
    """Requests in flight at once."""
    timeout: Number = Field(default=600.0, gt=0, json_schema_extra=HOW)
    """Seconds for one request."""
    max_retries: int = Field(default=5, ge=0, json_schema_extra=HOW)
    """Further tries after a connection error, a timeout, a 429 or a 5xx."""
    max_failures: int = Field(default=0, ge=0, json_schema_extra=HOW)
    """Requests that may fail for good before the run does."""
    weights: str | None = None
    """Identity of the weights in completion keys. Null: a directory's fingerprint, a Hub id's revision, and for
    `openai` the served model's name."""
    base_url: Annotated[list[Url], BeforeValidator(_as_list)] = Field(default=[], json_schema_extra=HOW)
    """openai: one address or several, over which requests are spread (`http://127.0.0.1:8000/v1`)."""
    model: str | None = None
    """openai: the served model's name. Null: `model_name_or_path`."""
    api_key_env: str = Field(default="OPENAI_API_KEY", json_schema_extra=HOW)
    """openai: the environment variable that holds the key. The key itself is written nowhere."""
    python: str | None = Field(default=None, json_schema_extra=HOW)
    """vllm: the interpreter that has vLLM. Null: that of `lidr env create vllm`, else the one lidr runs in."""
    # Those of its arguments that decide answers are part of the identity that completions are found by.
    args: dict[str, Any] = Field(default={}, json_schema_extra=HOW)
    """vllm: arguments of its server, `{tensor_parallel_size: 8}` for `--tensor-parallel-size 8`."""
    startup_timeout: Number = Field(default=1800.0, gt=0, json_schema_extra=HOW)
    """vllm: seconds until the server must be healthy."""
    device: str | None = Field(default=None, json_schema_extra=HOW)
    """transformers: `cuda`, `cuda:1`, `mps` or `cpu`. Null: a GPU where there is one."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """transformers: the type of the weights; `auto` is the checkpoint's own."""
    batch_size: int = Field(default=16, ge=1, json_schema_extra=HOW)
    """transformers: texts generated together."""

    @model_validator(mode="after")
    def _coherent(self) -> "EngineSettings":
        if self.backend == "openai" and not self.base_url:
            raise ValueError("backend openai needs a base_url, for instance http://127.0.0.1:8000/v1")
        if self.backend in ("vllm", "transformers") and self.base_url:
            raise ValueError(f"base_url belongs to backend openai, not {self.backend}")
        secret = next((name for name in self.args if "key" in name.lower() or name.lower() == "token"), None)
        if secret:
            raise ValueError(f"args.{secret}: secrets come from the environment, as VLLM_API_KEY or HF_TOKEN")
        return self


class OtherModel(EngineSettings):
    """Another model or service than the one that is asked and trained; the keys are those of `engine`."""

    model_name_or_path: str | None = None
    """Hub id or directory of the model. Null: `model`."""

    @model_validator(mode="after")
    def _named(self) -> "OtherModel":
        if not (self.model_name_or_path or self.model):
            raise ValueError("another model needs its name: model (openai) or model_name_or_path")
        return self

    @property
    def name(self) -> str:
        """The model, as a Hub id, a directory or a served name."""
        return str(self.model_name_or_path or self.model)
