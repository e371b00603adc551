"""What a run will take, by a sample of its prompts: tokens, hours, money, bytes on the disk."""

from collections.abc import Sequence
from itertools import count, islice
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.requests import Chat, Completion, Request, Score, Scored, canonical_json, key_of
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.score_rows import ScoreEntry
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.store import Store
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.dataset.rows import drop_json, row_json
from lidr_plugin.methods.base import Outcome

_SAMPLE = 32
"""Prompts that are looked at, from the first on: those of a preview are among them."""
_BYTES_A_TOKEN = 4
"""Of UTF-8. It holds for English, and scripts of two and three bytes a character have as many more tokens."""
_TEMPLATE = 20
"""Tokens that a chat template adds to a request."""
_DIMENSIONS = 1024
"""Of a made-up vector: those of most sentence encoders have 384 to 1,024, hidden layers more."""
_STORED = 1000
"""Rows by which SQLite's share of a store is measured: fewer fill too few of its pages."""


class Length(NamedTuple):
    """Of an answer: new tokens, and bytes of its text."""

    tokens: int
    size: int


_ANSWER = Length(300, 300 * _BYTES_A_TOKEN)
"""As long as none is known; instruction-tuned models write so many tokens to a question on average."""


_SCORES = {"logprob": (-1.0, 1.0), "reward": (1.0,), "embed": (1 / 32,) * _DIMENSIONS}
"""Made up, by kind."""


class Speed(NamedTuple):
    """New tokens a second, and how that is known."""

    tokens_per_second: float
    source: str


class Disk(NamedTuple):
    """Bytes of a run's files.

    Attributes:
        store: all completions and scores.
        dataset: the rows, in every form that is written, and `rejected.jsonl`.
    """

    store: int
    dataset: int


class Estimate(NamedTuple):
    """What the whole run takes, what is in its store already included.

    Attributes:
        requests: at most, second tries aside.
        known: answers of the sample that are in the store; with none, lengths are assumed.
        hours: None where nothing tells the speed.
        cost: None where there is no price.
        max_cost: the cap on it.
        candidates: rows of the dataset and of `rejected.jsonl`.
    """

    prompts: int
    requests: int
    prompt_tokens: int
    completion_tokens: int
    known: int
    answer_tokens: float
    speed: Speed | None
    hours: float | None
    cost: float | None
    max_cost: float | None
    candidates: int
    disk: Disk


class _Seen(NamedTuple):
    """A request of the sample, with its tokens; `known` where its answer is in the store."""

    weights: str
    prompt: int
    completion: int
    known: bool


class _Sample(NamedTuple):
    """The first prompts with all that they ask.

    Attributes:
        entries: the requests with their answers, as the store has them or would have them; scores among them.
        rows: what became rows, and what did not, as lines of their files.
    """

    prompts: int
    seen: list[_Seen]
    entries: list[Entry | ScoreEntry]
    rows: list[bytes]


def estimate(ready: Prepared, store: Store | None, speed: Speed | None = None) -> Estimate:
    """By the requests of the first prompts, and their answers as far as the store has them."""
    sample, length = _sample(ready, store, _ANSWER), float(_ANSWER.tokens)
    known = [item.completion for item in sample.seen if item.known]
    if known:
        length = sum(known) / len(known)
        texts = [entry.completion.text for entry in sample.entries if isinstance(entry, Entry)]
        size = sum(len(text.encode()) for text, item in zip(texts, sample.seen, strict=True) if item.known)
        sample = _sample(ready, store, Length(round(length), round(size / len(known))))
    requests = ready.requests_at_most()
    times = requests / len(sample.seen) if sample.seen else 0.0
    new = sum(item.completion for item in sample.seen) * times
    each = len(ready.prompts) / max(1, sample.prompts)
    return Estimate(
        prompts=len(ready.prompts),
        requests=requests,
        prompt_tokens=round(sum(item.prompt for item in sample.seen) * times),
        completion_tokens=round(new),
        known=len(known),
        answer_tokens=length,
        speed=speed,
        hours=new / speed.tokens_per_second / 3600 if speed else None,
        cost=_cost(ready, sample.seen, times),
        max_cost=ready.config.engine.max_cost,
        candidates=round(len(sample.rows) * each),
        disk=Disk(_store_size(sample.entries, times), round(sum(map(len, sample.rows)) * each) * _forms(ready.config)),
    )


def _store_size(entries: Sequence[Entry | ScoreEntry], times: float) -> int:
    """Bytes of a store with so many times these entries, as SQLite lays them out."""
    copies, numbers = -(-_STORED // max(1, len(entries))), count()
    with Store(None) as store:
        empty = store.size
        for _ in range(copies):
            # Each as long as it is, under a key of its own: made-up answers are alike, and so are the requests with them.
            store.put_many(entry._replace(request=b"%8d" % next(numbers) + entry.request[8:]) for entry in entries)
        return round(empty + (store.size - empty) / copies * times)


def _forms(config: Config) -> int:
    """How often a row is written: in alpaca form, as a conversation, as single texts."""
    return 1 + (config.dataset_format == "messages") + (config.train.llamafactory.get("stage") == "kto")


def words(found: Estimate) -> list[str]:
    """The estimate for people, with what was assumed."""
    source = f"as {found.known:,} in the store have" if found.known else "assumed; --preview 3 measures some"
    lines = [
        f"about {found.prompt_tokens:,} prompt tokens and {found.completion_tokens:,} new tokens",
        f"with answers of {found.answer_tokens:,.0f} tokens, {source}",
    ]
    if found.speed and found.hours is not None:
        each = f"{found.speed.tokens_per_second:,.0f} tokens/s, {found.speed.source}"
        lines.append(f"about {in_hours(found.hours)} at {each}")
    else:
        lines.append(
            f"about {in_hours(found.completion_tokens / 3.6e6)} at 1,000 tokens/s; the engine's speed is not known"
        )
    if found.cost is not None:
        cap = f"; engine.max_cost is {found.max_cost:g}" if found.max_cost else ""
        lines.append(f"about {found.cost:,.2f} by the prices of the engines{cap}")
    if found.cost and found.max_cost and found.cost > found.max_cost:
        lines.append(f"engine.max_cost would end the run after about {found.max_cost / found.cost:.0%} of it")
    kept = f"{in_bytes(found.disk.store)} of completions, {in_bytes(found.disk.dataset)} of dataset and rejected.jsonl"
    return [*lines, f"about {kept}"]


def in_bytes(size: float) -> str:
    """As people write it, in powers of ten."""
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.1f} {unit}" if size < 100 else f"{size:.0f} {unit}"
    return f"{size / 1000:,.1f} TB"


def in_hours(hours: float) -> str:
    """As people say it."""
    return f"{hours:,.1f} hours" if hours >= 1 else f"{hours * 60:,.0f} minutes" if hours > 1 / 60 else "a minute"


def _cost(ready: Prepared, seen: Sequence[_Seen], times: float) -> float | None:
    prices = _prices(ready.config)
    if not any(any(pair) for pair in prices):
        return None
    own, other = prices
    policy = ready.roles["policy"].identity
    total = 0.0
    for item in seen:
        prompt, completion = own if item.weights == policy else other
        total += (item.prompt * prompt + item.completion * completion) / 1e6
    return total * times


def _prices(config: Config) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the policy, and of the translator."""

    def pair(settings: EngineSettings) -> tuple[float, float]:
        return settings.prompt_price, settings.completion_price

    return pair(config.engine), pair(config.translation.engine or config.engine)


def _sample(ready: Prepared, store: Store | None, length: Length) -> _Sample:
    """What the first prompts ask; a request that has no answer yet gets one of that length."""
    sample, system = _Sample(min(_SAMPLE, len(ready.prompts)), [], [], []), ready.config.generation.system
    for prompt in islice(ready.prompts, _SAMPLE):
        course = Course(ready.method.steps(prompt, ready.ask))
        while course.wanted:
            wanted, course.wanted = course.wanted, []
            known = _known([request for _, request in wanted], store)
            for (branch, request), found in zip(wanted, known, strict=True):
                if isinstance(request, Score):
                    scored = Scored(_SCORES[request.kind])
                    sample.entries.append(ScoreEntry(canonical_json(request), request.kind, scored))
                    course.answer(branch, scored)
                    continue
                answer = found or _made_up(request, length)
                tokens = answer.prompt_tokens or prompt_tokens(request), answer.completion_tokens or length.tokens
                sample.seen.append(_Seen(request.weights, *tokens, found is not None))
                sample.entries.append(Entry(canonical_json(request), answer))
                course.answer(branch, answer)
        outcome: Outcome = course.result
        sample.rows.extend(files.dump_line(row_json(row, system)) for row in outcome.rows)
        sample.rows.extend(files.dump_line(drop_json(drop)) for drop in outcome.drops)
    return sample


def _known(requests: Sequence[Request], store: Store | None) -> list[Completion | None]:
    if store is None:
        return [None] * len(requests)
    canonical = {
        key_of(text): text for request in requests if isinstance(request, Chat) for text in [canonical_json(request)]
    }
    found = store.get_many([*canonical], canonical)
    return [found.get(key_of(canonical_json(request))) for request in requests]


def prompt_tokens(request: Chat) -> int:
    """Of a request, by its bytes."""
    size = sum(len(message.content.encode()) for message in request.messages) + len(request.prefill.encode())
    return size // _BYTES_A_TOKEN + _TEMPLATE


def _made_up(request: Chat, length: Length) -> Completion:
    """An answer of that length, or as long as it may be."""
    tokens = min(length.tokens, request.sampling.max_tokens)
    size = length.size * tokens // max(1, length.tokens)
    # Numbered, so that it is no repetition, which methods look for.
    text = " ".join(f"w{n}" for n in range(size // 3 + 1))[:size].strip()
    return Completion(text or "w", "stop", 0, tokens, prefilled=bool(request.prefill))
