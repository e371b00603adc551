"""Starts LLaMA-Factory's training with a callback that ends it where the model has moved as far as it may.

Takes the place of `llamafactory-cli train`, and of LLaMA-Factory's launcher in the processes of torchrun. What is watched stands in
the variable `LIDR_SHIFT_STOP`, as JSON; each step adds a line to `shift.jsonl` beside the checkpoints.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from transformers import TrainerCallback

KEPT = 4_000_000
"""Log-probabilities that are compared: of a large vocabulary every so many-th token, which tells as much."""


class ShiftStop(TrainerCallback):  # type: ignore[misc]  # transformers is not in lidr's own environment
    """Ends a training as soon as the log-probabilities after the tokens of some rows have moved by so much, in root mean square."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.target, self.texts, self.tokens = job["target"], job["texts"], job["tokens"]
        self.folder = Path(job["folder"])
        self.probes: list[list[int]] = []
        self.base: torch.Tensor | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Keeps what the base says: at step 0 the model is the base, and a training that is taken up again finds it on the disk."""
        tokenizer, file = kwargs["processing_class"], self.folder / "shift_base.pt"
        self.probes = [tokenizer.encode(text)[: self.tokens] for text in self.texts]
        if state.global_step and state.is_world_process_zero:
            if not file.exists():
                raise RuntimeError(
                    f"{file}, what the model said before the training, is gone; lidr train --restart begins anew"
                )
            self.base = torch.load(file, weights_only=True)
        elif not state.global_step:
            self.base = self.logprobs(model, args)
            if state.is_world_process_zero:
                part = file.with_suffix(".part")
                self.folder.mkdir(parents=True, exist_ok=True)
                torch.save(self.base, part)
                os.replace(part, file)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        """Measures; the first process decides for all."""
        now = self.logprobs(model, args)
        stop = torch.zeros(1, device=args.device)
        if state.is_world_process_zero and self.base is not None:
            shift = (now - self.base).pow(2).mean().sqrt().item()
            stop += shift >= self.target
            with (self.folder / "shift.jsonl").open("a", encoding="utf-8") as log:
                line = {"step": state.global_step, "shift": shift, "stopped": bool(stop)}
                log.write(json.dumps(line) + "\n")
        if torch.distributed.is_initialized():
            torch.distributed.broadcast(stop, 0)
        if stop:
            control.should_training_stop = True

    def logprobs(self, model: Any, args: Any) -> torch.Tensor:
        """After every token of the probes, (tokens, vocabulary or a part of it)."""
        # bitsandbytes packs weights for good where a 4-bit layer that is not in training is used on the CPU.
        modules = [x for x in model.modules() if x.training and type(x).__name__ != "Linear4bit"]
        for module in modules:
            module.training = False
        dtype = torch.bfloat16 if args.bf16 else torch.float16
        with torch.no_grad(), torch.autocast(args.device.type, dtype, enabled=args.bf16 or args.fp16):
            rows = [
                model(input_ids=torch.tensor([ids], device=args.device), use_cache=False).logits[0].float()
                for ids in self.probes
            ]
        for module in modules:
            module.training = True
        found = torch.cat([row.log_softmax(-1).cpu() for row in rows])
        return found[:, :: -(-found.numel() // KEPT)].clone()


def main() -> None:
    job = json.loads(os.environ["LIDR_SHIFT_STOP"])
    if job["torchrun"] and sys.argv[1] == "train":
        from llamafactory import launcher

        # The file that it has torchrun start is its own; here it is this one.
        launcher.__file__ = __file__
        launcher.launch()
        return
    from llamafactory.train.tuner import run_exp

    sys.argv = [sys.argv[0], *(word for word in sys.argv[1:] if word != "train")]
    run_exp(callbacks=[ShiftStop(job)])


if __name__ == "__main__":
    main()
