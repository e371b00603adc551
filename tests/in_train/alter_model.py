"""A copy of a model with other weights in its last norm: it says other things, of the same tokens."""

import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file


def main(model: str, folder: str) -> None:
    for path in Path(model).iterdir():
        if path.is_file() and path.suffix != ".safetensors":
            shutil.copy(path, folder)
    weights = load_file(Path(model) / "model.safetensors")
    weights["model.norm.weight"] *= 0.8
    save_file(weights, Path(folder) / "model.safetensors", {"format": "pt"})


if __name__ == "__main__":
    main(*sys.argv[1:])
