"""Shows tox every interpreter that pyenv has installed.

On the PATH, pyenv only offers the versions it has switched on.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.config.sets import ConfigSet
    from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:  # noqa: ARG001 - tox passes both
    """Add pyenv's interpreters to those that tox tries."""
    root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    state.conf.options.discover += map(str, sorted(root.glob("versions/3.1[1-4].*/bin/python")))
