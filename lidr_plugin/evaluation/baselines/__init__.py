"""Other ways to ask the model that is there, one file each: is training worth it at all?"""

from collections.abc import Mapping

from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.baselines.base import Baseline, Setting
from lidr_plugin.evaluation.baselines.clp import Clp
from lidr_plugin.evaluation.baselines.self_translate import SelfTranslate
from lidr_plugin.evaluation.baselines.vote import Vote
from lidr_plugin.evaluation.baselines.xlt import Xlt

_ALL: Mapping[str, type[SelfTranslate | Xlt | Clp | Vote]] = {
    "self_translate": SelfTranslate,
    "xlt": Xlt,
    "clp": Clp,
    "vote": Vote,
}


def baselines_of(config: Config) -> dict[str, Baseline]:
    """Those that a configuration wants, by name."""
    setting = Setting.of(config)
    return {name: _ALL[name](setting) for name in config.eval.baselines}
