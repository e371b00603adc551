"""What is checked of a run before anything is asked or written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import build_engine
from lidr_plugin.completions.engines.weights import weights_of
from lidr_plugin.completions.requests import Sampling
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import read_info
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.methods import translation
from lidr_plugin.methods.filters import build_filters
from lidr_plugin.methods.imbalance import Method, Work
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.processes import Launch
from lidr_plugin.training.recipe import Settings, launch_of, train_settings

_BYTES_A_TEXT = 6000


class Preflight:
    """A run, checked as far as it can be without asking anything: configuration, prompts, weights, languages, disk.

    Use it as a context manager: the prompts lie in a temporary file.

    Raises:
        InputError: whatever is wrong, before anything is written.
        RunError: there is no room on the disk.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.run = RunDirectory.of(self.config.output_dir, self.config.store)
        read_info(self.run.dataset_info)
        self._check_output()
        recipe_for(self.config, self.run, self.config.dataset_name)
        self.method = self._method(config)
        self.prompts = PromptSet(
            self._prompt_files(config),
            self.config.columns,
            by_row=self.config.join_on == "row",
            skip=self.config.skip_prompts,
            limit=self.config.max_prompts,
        )
        try:
            self._check_answers()
            self._check_disk()
        except BaseException:
            self.prompts.close()
            raise

    def __enter__(self) -> "Preflight":
        return self

    def __exit__(self, *_: object) -> None:
        self.prompts.close()

    def _method(self, config: Config) -> Method:
        config = self.config
        drawn, translated = config.generation, config.translation
        weights = weights_of(config.engine, config.model_name_or_path, config.model_revision)
        translator = translated.engine
        common: dict[str, Any] = {
            "top_p": drawn.top_p,
            "repetition_penalty": drawn.repetition_penalty,
            "seed": drawn.seed,
            "thinking": drawn.thinking,
        }
        return Method(
            dominant=config.dominant_language,
            languages=config.languages,
            weights=weights,
            translator=weights_of(translator, translator.name, "main", key="translation.engine")
            if translator
            else weights,
            response=Sampling(temperature=drawn.temperature, max_tokens=drawn.max_tokens, **common),
            translation=Sampling(temperature=translated.temperature, max_tokens=translated.max_tokens, **common),
            system=drawn.system,
            retries=translated.retries,
            template=translated.template or translation.TEMPLATE,
            prompt_template=config.prompt_template or (translation.MATH_TEMPLATE if config.task == "math" else None),
            dominant_pairs=config.dominant_pairs,
            translation_prompts=config.translation_prompts,
            is_translation_prompt=_recogniser(config),
            skip_cut=config.filters.truncated,
            filters=build_filters(config),
        )

    def _prompt_files(self, config: Config) -> dict[str, Path]:
        config = self.config
        files = {code: config.prompt_path(code) for code in [config.dominant_language, *config.languages]}
        absent = [code for code, path in files.items() if not path.is_file()]
        if absent and (not config.translate_prompts or config.dominant_language in absent):
            hint = "translate_prompts: true has the model translate the prompts of languages without a file"
            problems = [f"prompts: {files[code]}: no such file ({code})" for code in absent]
            raise InputError(InputError.of(problems, "the prompt files").message, hint)
        return {code: path for code, path in files.items() if code not in absent}

    def _check_answers(self) -> None:
        if self.config.answer_filter == "none":
            return
        without = next((prompt.id for prompt in self.prompts if prompt.final_answer is None), None)
        if without is not None:
            raise InputError(
                f"answer_filter: {self.config.answer_filter}: prompt {without!r} has no final answer",
                "name the column in columns.final_answer, or set answer_filter=none",
            )

    def _check_output(self) -> None:
        place = self.run.nearest()
        if not place.is_dir():
            raise InputError(f"output_dir: {self.run.path}: {place} is a file", "set another output_dir")

    def _check_disk(self) -> None:
        needed = min(self.requests_at_most(), 10_000_000) * _BYTES_A_TEXT // 10 + (16 << 20)
        free = self.run.free_bytes()
        if free < needed:
            raise RunError(
                f"output_dir: {self.run.path}: {free >> 20} MB free, and this run needs about {needed >> 20} MB",
                "free some space, or set another output_dir",
            )

    def works(self) -> Iterator[Work]:
        """The prompts on their way, in order."""
        return (Work(prompt, self.method) for prompt in self.prompts)

    def requests_at_most(self) -> int:
        """Responses and first tries of translations, if nothing were rejected or stored."""
        count = len(self.config.languages)
        dominant = {"none": 0, "one": 1, "last": 1, "all": count}[self.config.dominant_pairs]
        return len(self.prompts) * (1 + count + count + dominant)

    def lanes(self) -> dict[str, Model]:
        """The engines by the weights that they ask; nothing is started."""
        config, translator = self.config, self.config.translation.engine
        lanes = {self.method.weights: self._lane(config.engine, config.model_name_or_path, config.model_revision)}
        if translator:
            lanes[self.method.translator] = self._lane(translator, translator.name, "main", "translator.log")
        return lanes

    def _lane(self, engine: EngineSettings, model: str, revision: str, log: str = "vllm.log") -> Model:
        built = build_engine(
            engine,
            model=model,
            revision=revision,
            trust_remote_code=self.config.trust_remote_code,
            log=self.run.path / log,
            max_tokens=max(self.config.generation.max_tokens, self.config.translation.max_tokens),
        )
        return Model(built, engine.concurrency, engine.max_failures)


def _recogniser(config: Config) -> Any:
    if config.translation_prompt_ids is None:
        return lambda prompt: translation.asks_for_translation(prompt.texts[config.dominant_language].joined)
    path = config.folder / config.translation_prompt_ids
    try:
        ids = frozenset(map(str.strip, path.read_text(encoding="utf-8-sig").split("\n")))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"translation_prompt_ids: {path}: {error}") from None
    return lambda prompt: prompt.id in ids


def recipe_for(config: Config, run_dir: RunDirectory, dataset: str) -> tuple[Settings, Launch]:
    """The recipe for this machine; where its GPUs do not divide the batch, for one process: it may not be the one that trains."""
    launch = launch_of(config)
    try:
        return train_settings(config, run_dir, launch, dataset=dataset), launch
    except InputError:
        launch = replace(launch, env={}, gpus=min(launch.gpus, 1), nodes=1, rank=0, per_node=1)
        return train_settings(config, run_dir, launch, dataset=dataset), launch
