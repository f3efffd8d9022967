"""Starting the app: settings of the process, then the page."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from typing import TYPE_CHECKING

from leffa.errors import LeffaError

if TYPE_CHECKING:
    import gradio as gr

MOST_UPLOAD = "60mb"


def settle() -> None:
    """Settings that must stand before Gradio and torch come in. Does nothing the second time.

    No telemetry and no look-up of newer versions; files of visitors in a folder of our own, gone at the end;
    threads of torch sleep when they wait, which small machines thank for.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "GRADIO_TEMP_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="leffa-app-")
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def launch(
    host: str | None = None,
    port: int | None = None,
    mcp: bool = False,
    open_browser: bool = False,
    wait: bool = True,
) -> "gr.Blocks":
    """Serve the app; returns when it is stopped, or at once with ``wait=False``.

    host, port  None: 127.0.0.1 and 7860, or what GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say
    mcp         also serve the endpoints as tools for agents
    """
    settle()
    if mcp:
        _prepare_tools(host or os.environ.get("GRADIO_SERVER_NAME"))
    from demo import examples, painting, parts, theme
    from demo.page import build
    from demo.sessions import Sessions

    sessions = Sessions()
    page = build(sessions)
    page.queue(default_concurrency_limit=8, max_size=64)
    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=open_browser,
        prevent_thread_lock=True,
        quiet=not wait,
        show_error=True,
        footer_links=["api", "settings"],
        run_history=False,
        mcp_server=mcp,
        ssr_mode=False,
        pwa=False,
        max_file_size=MOST_UPLOAD,
        allowed_paths=[str(examples.ASSETS)],
        theme=theme.theme(),
        css=theme.style(),
        favicon_path=str(parts.STATIC / "icon.svg"),
    )
    painting.warm_up()
    if wait:
        try:
            page.block_thread()
        finally:
            sessions.end_all()
    return page


def _prepare_tools(host: str | None) -> None:
    """Let agents on this machine name files that they have uploaded to the app.

    Gradio fetches pictures from public addresses only. Where nobody but this machine reaches the app, its own
    address, as Gradio's upload tool gives it, is as good.
    """
    if find_spec("mcp") is None:
        raise LeffaError("the tool server needs one more package: pip install -e '.[mcp]'")
    from gradio import processing_utils

    own = "127.0.0.1"
    if host in (None, own, "localhost") and own not in processing_utils.PUBLIC_HOSTNAME_WHITELIST:
        processing_utils.PUBLIC_HOSTNAME_WHITELIST.append(own)
