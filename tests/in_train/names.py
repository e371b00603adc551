"""The keys and templates that the installed LLaMA-Factory knows, for comparison with the shipped lists."""

import dataclasses
import json

from llamafactory.data.template import TEMPLATES
from llamafactory.hparams.parser import _TRAIN_ARGS
from llamafactory.hparams.training_args import RayArguments

if __name__ == "__main__":
    keys = {field.name for kind in (*_TRAIN_ARGS, RayArguments) for field in dataclasses.fields(kind) if field.init}
    print("FOUND " + json.dumps({"keys": sorted(keys), "templates": sorted(TEMPLATES)}))
