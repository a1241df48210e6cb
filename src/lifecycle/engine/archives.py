"""ZIP files that are the same for the same contents, and are there under their name only when they are whole."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def beside(out: Path) -> Iterator[Path]:
    """An empty file beside `out`, readable by its owner alone, that becomes `out` at the end, and goes on failure."""
    with NamedTemporaryFile(dir=out.parent, prefix=f".{out.name}.", delete=False) as file:
        unfinished = Path(file.name)
    try:
        yield unfinished
        unfinished.replace(out)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def add_member(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes], *, is_sealed: bool = False) -> None:
    """What is sealed is stored as it is: deflating it saves a quarter, and took as long as opening and proving it."""
    member = zipfile.ZipInfo(name, EPOCH)
    member.compress_type = zipfile.ZIP_STORED if is_sealed else zipfile.ZIP_DEFLATED
    with archive.open(member, "w", force_zip64=True) as file:
        for chunk in chunks:
            file.write(chunk)


def write_whole(path: Path, content: bytes) -> None:
    """On the disk before anybody says that it is there."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
