"""What tests of archives share: making, reading and forging them."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from copies import Told
from teleclaude.store.archive import back_up, restore_store
from teleclaude.store.archive.sealing import seal
from teleclaude.store.transfer import CopyOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teleclaude.config import Config
    from teleclaude.store.transfer import CopyReport


async def archived(config: Config, file: Path, progress: Told | None = None) -> bytes:
    """Back a store up and give the archive."""
    await back_up(config, file, progress or Told())
    return file.read_bytes()


async def restored(
    file: Path, config: Config, progress: Told | None = None, **options: bool
) -> CopyReport:
    """Restore an archive."""
    return await restore_store(file, config, CopyOptions(**options), progress or Told())


def lines_of(archive: bytes) -> list[Any]:
    """Give the documents of an archive, without those of its end."""
    return [json.loads(line) for line in gzip.decompress(archive).splitlines()[:-2]]


def forged(documents: Sequence[Any]) -> bytes:
    """Make an archive of which every hash is right, whatever is in it."""
    whole, table = sha256(), sha256()
    text = []
    for one in documents:
        document = one
        if isinstance(document, dict) and "rows" in document:
            if "sha256" in document:
                document = {**document, "sha256": table.hexdigest()}
            table = sha256()
        line = dumped(document)
        if not isinstance(document, dict):
            table.update(line)
        whole.update(line)
        text.append(line)
    return sealed([*text, dumped({"sha256": whole.hexdigest()})])


def sealed(lines: Sequence[bytes]) -> bytes:
    """Compress lines and seal them."""
    compressed = gzip.compress(b"".join(lines), mtime=0)
    return compressed + seal(sha256(compressed).hexdigest())


def dumped(document: object) -> bytes:
    """Write a line as archives have it."""
    if isinstance(document, bytes):
        return document
    options: dict[str, Any] = {"sort_keys": isinstance(document, dict), "separators": (",", ":")}
    return json.dumps(document, ensure_ascii=False, **options).encode() + b"\n"
