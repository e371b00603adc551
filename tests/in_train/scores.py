"""Scores of tiny random models in process, beside the same numbers worked out plainly; prints both."""

import asyncio
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    M2M100Config,
    M2M100ForConditionalGeneration,
    NllbTokenizer,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    T5Config,
    T5ForConditionalGeneration,
)

from lidr_plugin.completions.engines.base import build_engine
from lidr_plugin.completions.engines.purpose import Purpose
from lidr_plugin.completions.engines.scorer import Scorer
from lidr_plugin.completions.engines.seq2seq import Seq2Seq
from lidr_plugin.completions.engines.transformers import Transformers
from lidr_plugin.completions.requests import Chat, Message, Need, Sampling, Score
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.errors import EngineError, RequestError

TURNS = (Message("user", "What floats?"),)
TEXT = "A boat, of course."
LOADED: dict[str, Any] = {"revision": "main", "trust_remote_code": False, "device": "cpu", "dtype": "float32"}


async def scores(model: Path, wanted: Need, requests: list[Score]) -> list[Any]:
    """The values, or what an error says."""

    async def one(engine: Scorer, request: Score) -> Any:
        try:
            return list((await engine.score(request)).values)
        except RequestError as error:
            return error.message

    try:
        async with Scorer(str(model), wanted=frozenset({wanted}), **LOADED) as engine:
            return [await one(engine, request) for request in requests]
    except EngineError as error:
        return [error.message]


def plainly(model: Any, prompt: list[int], said: list[int]) -> list[float]:
    """Token by token, each by a pass of its own."""
    total = 0.0
    for place, token in enumerate(said):
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + said[:place]])).logits[0, -1].double()
        total += float(logits[token] - torch.logsumexp(logits, 0))
    return [total, len(said)]


async def causal(tiny: Path) -> dict[str, Any]:
    tokenizer, model = AutoTokenizer.from_pretrained(tiny), AutoModelForCausalLM.from_pretrained(tiny).eval()
    prompt = tokenizer.encode("<|im_start|>user\nWhat floats?<|im_end|>\n<|im_start|>assistant\n")
    text, end = tokenizer.encode(TEXT), tokenizer.encode("<|im_end|>")
    whole = Score("w", "logprob", TURNS, TEXT)
    requests = [whole, whole._replace(cut=True), whole._replace(text=""), whole._replace(text="long " * 700)]
    requests += [Score("w", "embed", TURNS, TEXT, layer) for layer in (0, 2, 3)]
    with torch.inference_mode():
        states = model(torch.tensor([prompt + text]), output_hidden_states=True).hidden_states
    async with Transformers(str(tiny), batch_size=4, **LOADED) as engine:
        beside = await asyncio.gather(*(engine.score(whole._replace(text=f"{TEXT} {n}")) for n in range(5)))
        alone = [await engine.score(whole._replace(text=f"{TEXT} {n}")) for n in reversed(range(5))]
        policy = await engine.score(whole)
    return {
        "found": await scores(tiny, "logprob", requests),
        "plain": [plainly(model, prompt, text + end), plainly(model, prompt, text), plainly(model, prompt, end)],
        "layers": [states[layer][0, len(prompt) :].mean(0).tolist() for layer in (0, 2)],
        "policy": list(policy.values),
        "same whatever waits": list(beside) == alone[::-1],
    }


async def rewards(tiny: Path, folder: Path) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    torch.manual_seed(1)
    # vLLM on a CPU has no heads of the tiny size; great weights make rewards that differ.
    shape = {"hidden_size": 128, "num_attention_heads": 2, "num_key_value_heads": 2, "initializer_range": 0.3}
    model, two = [
        Qwen2ForSequenceClassification(Qwen2Config.from_pretrained(tiny, num_labels=labels, **shape)).eval()
        for labels in (1, 2)
    ]
    for name, made in {"one": model, "two": two}.items():
        made.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    request = Score("w", "reward", TURNS, TEXT)
    ids = tokenizer.encode(f"<|im_start|>user\nWhat floats?<|im_end|>\n<|im_start|>assistant\n{TEXT}<|im_end|>\n")
    with torch.inference_mode():
        plain = float(model(torch.tensor([ids])).logits[0][0])
    return {
        "found": await scores(folder / "one", "reward", [request, request._replace(text="long " * 700)]),
        "plain": plain,
        "two outputs": await scores(folder / "two", "reward", [request]),
        "no head": await scores(tiny, "reward", [request]),
    }


def words(folder: Path, *further: str) -> PreTrainedTokenizerFast:
    """A tokenizer of a few words."""
    listed = ["<pad>", "</s>", "<unk>", *further, *"a boat floats ein Boot schwimmt .".split()]
    raw = Tokenizer(models.WordLevel({word: number for number, word in enumerate(listed)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    raw.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=20
    )
    made.save_pretrained(folder)
    return made


async def encoders(folder: Path) -> dict[str, Any]:
    tokenizer = words(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    model = BertModel(config).eval()
    model.save_pretrained(folder)
    asked = [Score("w", "embed", (), "a boat floats"), Score("w", "embed", (), "a boat " * 20)]
    with torch.inference_mode():
        output = model(torch.tensor([tokenizer("a boat floats")["input_ids"]]))
    found = {"pooler": await scores(folder, "embed", asked)}
    for way, key in (
        ("mean", "pooling_mode_mean_tokens"),
        ("cls", "pooling_mode_cls_token"),
        ("max", "pooling_mode_max"),
    ):
        (folder / "1_Pooling").mkdir(exist_ok=True)
        (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 16, key: True}))
        found[way] = await scores(folder, "embed", asked[:1])
    dense = [{"type": f"sentence_transformers.models.{name}"} for name in ("Transformer", "Pooling", "Dense")]
    (folder / "modules.json").write_text(json.dumps(dense))
    found["dense"] = await scores(folder, "embed", asked[:1])
    states = output.last_hidden_state[0]
    plain = {"pooler": output.pooler_output[0].tolist(), "mean": states.mean(0).tolist(), "cls": states[0].tolist()}
    return {"found": found, "plain": plain}


def translated(model: Any, source: list[int], begun: list[int], said: list[int]) -> list[float]:
    """Token by token, each by a pass of its own; the decoder begins with `begun`."""
    total = 0.0
    for place, token in enumerate(said):
        before = torch.tensor([begun + said[:place]])
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([source]), decoder_input_ids=before).logits[0, -1].double()
        total += float(logits[token] - torch.logsumexp(logits, 0))
    return [total, len(said)]


def written(model: Any, source: list[int], begun: list[int]) -> list[int]:
    """The likeliest tokens that may be said, each by a pass of its own, up to the end or six."""
    said: list[int] = []
    silent = model.generation_config.suppress_tokens
    while len(said) < 6 and (not said or said[-1] != model.generation_config.eos_token_id):
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([begun + said])).logits
        last = logits[0, -1].clone()
        last[silent] = -torch.inf
        said.append(int(last.argmax()))
    return said


async def translations(folder: Path, *asked: tuple[Message, Message]) -> Any:
    """What the engine writes, asked for all at once; and the log-probability of a text by the same engine."""
    sampling = Sampling(0.0, 1.0, 6, 1.0, 42, False)
    settings = EngineSettings(backend="transformers", device="cpu", dtype="float32", batch_size=2)
    purpose = Purpose("translation.engine", 6, translates=True)
    engine = build_engine(settings, model=str(folder), purpose=purpose, log=folder / "log")
    async with engine:
        answers = await asyncio.gather(*(engine.complete(Chat("w", turns, sampling)) for turns in asked))
        assert isinstance(engine, Seq2Seq)
        score = await engine.score(Score("w", "logprob", asked[0], "a boat"))
    return {"folder": str(folder), "answers": [list(answer[:4]) for answer in answers], "score": list(score.values)}


async def tagged_sources(folder: Path) -> dict[str, Any]:
    """As MADLAD is: the source begins with the language that is wanted."""
    tokenizer = words(folder, "<2de>", "<2en>")
    torch.manual_seed(9)  # one that ends a text and another that does not
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    special = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    model = T5ForConditionalGeneration(T5Config(vocab_size=len(tokenizer), **shape, **special)).eval()
    model.generation_config.suppress_tokens = [0, *range(2, 5)]
    model.save_pretrained(folder)
    turns = (Message("source:de", "ein Boot schwimmt"), Message("target:en", ""))
    request = Score("w", "logprob", turns, "a boat floats")
    plain = translated(
        model, tokenizer("<2en> ein Boot schwimmt")["input_ids"], [0], tokenizer("a boat floats")["input_ids"]
    )
    wrong = request._replace(messages=(turns[0], Message("target:xx", "")))
    requests = [request, request._replace(cut=True), wrong, request._replace(messages=TURNS)]
    text = "- ein Boot\n```\nein Boot\n```\n\n12 + 12"
    english, german = (turns[0]._replace(content=text), turns[1]), (turns[0], Message("target:de", ""))
    alone = [tokenizer(x)["input_ids"] for x in ("<2en> ein Boot", "<2de> ein Boot schwimmt")]
    said = [tokenizer.decode(written(model, ids, [0]), skip_special_tokens=True).strip() for ids in alone]
    return {
        "found": await scores(folder, "logprob", requests),
        "plain": plain,
        "written": await translations(folder, english, german, english),
        "said": [f"- {said[0]}\n```\nein Boot\n```\n\n12 + 12", said[1], f"- {said[0]}\n```\nein Boot\n```\n\n12 + 12"],
    }


async def tagged_texts(folder: Path) -> dict[str, Any]:
    """As NLLB is: source and translation each begin with their language."""
    letters = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz"]
    tokenizer = NllbTokenizer(vocab={letter: number for number, letter in enumerate(letters)}, merges=[])
    tokenizer.save_pretrained(folder)
    torch.manual_seed(6)  # one that says something else of each text
    shape = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 64}
    model = M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(tokenizer), **shape, **heads)).eval()
    model.generation_config.suppress_tokens = [0, 1, 3, *range(len(letters), len(tokenizer))]
    model.save_pretrained(folder)
    origin, target = tokenizer.convert_tokens_to_ids(["deu_Latn", "eng_Latn"])
    source, said = (tokenizer.encode(text, add_special_tokens=False) for text in ("ein boot", "a boat"))
    plain = translated(model, [origin, *source, 2], [2, target], [*said, 2])
    turns = (Message("source:deu_Latn", "ein boot"), Message("target:eng_Latn", ""))
    request = Score("w", "logprob", turns, "a boat")
    wrong = request._replace(messages=(Message("source:deu", "ein boot"), turns[1]))
    other = (Message("source:eng_Latn", "a boat"), Message("target:deu_Latn", ""))
    alone = [([origin, *source, 2], target), ([target, *said, 2], origin)]
    return {
        "found": await scores(folder, "logprob", [request, request._replace(cut=True), wrong]),
        "plain": plain,
        "written": await translations(folder, turns, other),
        "said": [
            tokenizer.decode(written(model, ids, [2, tag]), skip_special_tokens=True).strip() for ids, tag in alone
        ],
    }


async def main(tiny: str, folder: str) -> None:
    root = Path(folder)
    found = {
        "causal": await causal(Path(tiny)),
        "rewards": await rewards(Path(tiny), root / "rewards"),
        "encoders": await encoders(root / "encoder"),
        "tagged sources": await tagged_sources(root / "sources"),
        "tagged texts": await tagged_texts(root / "texts"),
        "missing": await scores(Path("/no/such/model"), "reward", []),
    }
    assert not math.isnan(found["rewards"]["plain"])
    print("FOUND " + json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
