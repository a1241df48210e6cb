"""Opens the witness's door on a network, if the web server that it needs is installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from lifecycle.errors import LifecycleError


class WebServerMissing(LifecycleError):
    """The optional packages are not installed; the file-drop works without them."""

    code: ClassVar[str] = "web-server-missing"
    remedy: ClassVar[str] = "pip install 'lifecycle[witness]', or use the file-drop: `lifecycle witness once`"


def serve(folder: Path, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until interrupted; `ready` is told the port."""
    try:
        from lifecycle.witness import http_door  # noqa: PLC0415 (optional packages)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in {"starlette", "uvicorn", "anyio"}:
            raise
        raise WebServerMissing("The packages starlette and uvicorn are not installed.") from None
    http_door.run(folder, host, port, ready)
