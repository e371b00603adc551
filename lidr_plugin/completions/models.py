"""The models of a configuration: engine, limits and identity. Nothing is started here."""

import re
from pathlib import Path

from lidr_plugin.completions.budget import Budget
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import build_engine
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.weights import weights_of
from lidr_plugin.completions.requests import TOP_LOGPROBS
from lidr_plugin.completions.translation_codes import codes_of
from lidr_plugin.config.engine import EngineSettings, OtherModel
from lidr_plugin.config.schema import Config
from lidr_plugin.run_directory import RunDirectory

__all__ = ["Purpose", "model_of", "other_model", "policy_of", "translator_of"]


def policy_of(config: Config) -> Model:
    """The model that is asked and trained.

    Raises:
        InputError: it is not there.
    """
    longest = max(config.generation.max_tokens, config.translation.max_tokens, config.rank.max_tokens or 0)
    verdicts = config.family == "rank" and config.rank.judges_itself
    purpose = Purpose("model_name_or_path", longest, top_logprobs=TOP_LOGPROBS if verdicts else 0)
    return model_of(config, config.engine, config.model_name_or_path, config.model_revision, purpose)


def translator_of(config: Config, policy: Model) -> Model:
    """The model that translates: the policy itself, unless `translation.engine` names another."""
    other = config.translation.engine
    if other is None:
        return policy
    longest = max(config.generation.max_tokens, config.translation.max_tokens)
    codes = codes_of(config)
    purpose = Purpose("translation.engine", longest, "translator.log", translates=bool(codes))
    return other_model(config, other, purpose)._replace(codes=codes)


def other_model(config: Config, settings: OtherModel, purpose: Purpose) -> Model:
    """A model beside the policy."""
    return model_of(config, settings, settings.name, "main", purpose)


def model_of(config: Config, settings: EngineSettings, name: str, revision: str, purpose: Purpose) -> Model:
    """Any model, by its Hub id, directory or served name."""
    # First, for a model that is not there is wrong input, whatever is installed.
    identity = weights_of(settings, name, revision, key=purpose.key)
    log_file: Path = RunDirectory.of(config.output_dir, config.store).path / purpose.log
    engine = build_engine(
        settings,
        model=name,
        revision=_commit_in(identity, name) or revision,
        trust_remote_code=config.trust_remote_code,
        log=log_file,
        purpose=purpose,
    )
    return Model(engine, settings.concurrency, settings.max_failures, identity, _budget_of(settings, purpose.key))


def _budget_of(settings: EngineSettings, key: str) -> Budget | None:
    if settings.max_cost is None:
        return None
    section = "engine" if key == "model_name_or_path" else key
    return Budget(settings.prompt_price, settings.completion_price, settings.max_cost, f"{section}.max_cost")


def _commit_in(identity: str, name: str) -> str:
    """The commit that an identity names; empty if it names none. A branch may have moved on since it was looked up."""
    found = re.match(r"@([0-9a-f]{40})(?:\+|$)", identity.removeprefix(name)) if identity.startswith(name) else None
    return found[1] if found else ""
