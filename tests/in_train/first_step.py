"""The DPO and NLL terms of given rows, worked out with transformers alone: what the first step's loss must be.

At the first step policy and reference are one model, so DPO's term is ln 2 whatever the rows. NLL is the mean over rows
of -log pi(chosen | prompt) / |chosen|, with the tokens of the tokenizer's chat template.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig


def main(folder: str, dataset: str, method: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    four = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    quantised = {"quantization_config": four} if method == "qlora" else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **quantised)
    model.train()  # as in training: in evaluation bitsandbytes packs its weights for the CPU; there is no dropout here
    values = []
    for line in Path(dataset).read_bytes().splitlines():
        row = json.loads(line)
        prompt = "\n".join(part for part in (row["instruction"], row["input"]) if part)
        begun = f"<|im_start|>user\n{prompt}<|im_end|>\n<|im_start|>assistant\n"
        head = tokenizer.encode(begun, add_special_tokens=False)
        answer = tokenizer.encode(row["chosen"] + "<|im_end|>\n", add_special_tokens=False)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([head + answer])).logits[0].float()
        logps = logits[len(head) - 1 : -1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
        values.append(-logps.mean().item())
    print("FOUND " + json.dumps({"nll": sum(values) / len(values), "rows": len(values)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
