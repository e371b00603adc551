"""The models of a configuration: engine, limits and identity. Nothing is started here."""

from pathlib import Path

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import build_engine
from lidr_plugin.completions.engines.weights import weights_of
from lidr_plugin.config.engine import EngineSettings, OtherModel
from lidr_plugin.config.schema import Config
from lidr_plugin.run_directory import RunDirectory


def policy_of(config: Config) -> Model:
    """The model that is asked and trained.

    Raises:
        InputError: it is not there.
    """
    longest = max(config.generation.max_tokens, config.translation.max_tokens)
    name, revision = config.model_name_or_path, config.model_revision
    return _model(config, config.engine, name, revision, "model_name_or_path", longest, "vllm.log")


def translator_of(config: Config, policy: Model) -> Model:
    """The model that translates: the policy itself, unless `translation.engine` names another."""
    other = config.translation.engine
    if other is None:
        return policy
    longest = max(config.generation.max_tokens, config.translation.max_tokens)
    return other_model(config, other, "translation.engine", longest, "translator.log")


def other_model(config: Config, settings: OtherModel, key: str, max_tokens: int, log: str) -> Model:
    """A model beside the policy; `key` names it in errors, `log` is where a server that lidr starts for it writes."""
    return _model(config, settings, settings.name, "main", key, max_tokens, log)


def _model(
    config: Config, settings: EngineSettings, name: str, revision: str, key: str, max_tokens: int, log: str
) -> Model:
    log_file: Path = RunDirectory.of(config.output_dir, config.store).path / log
    # First, for a model that is not there is wrong input, whatever is installed.
    identity = weights_of(settings, name, revision, key=key)
    engine = build_engine(
        settings,
        model=name,
        revision=revision,
        trust_remote_code=config.trust_remote_code,
        log=log_file,
        max_tokens=max_tokens,
    )
    return Model(engine, settings.concurrency, settings.max_failures, identity)
