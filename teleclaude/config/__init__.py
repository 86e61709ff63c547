"""The configuration: `teleclaude.yml` and the environment, validated into a frozen `Config`.

Not for what the keys of an engine mean: the backend's own settings class says that. What people
need to know is in `docs/configuration.md`.
"""

from teleclaude.config.loading import DEFAULT_ENGINE, load_config
from teleclaude.config.model import Config, DaemonSettings, EffectiveSetting
from teleclaude.config.switching import Switched, require_switchable, shown_section, switch

__all__ = [
    "DEFAULT_ENGINE",
    "Config",
    "DaemonSettings",
    "EffectiveSetting",
    "Switched",
    "load_config",
    "require_switchable",
    "shown_section",
    "switch",
]
