"""A stand-in for the hub on this machine: enough of its HTTP to look up and fetch files, and to go wrong."""

import hashlib
import io
import json
import pickle
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import torch

from leffa.model import presets
from leffa.model.pipeline import LeffaPipeline
from leffa.weights.published import DEEP_FASHION, DENSEPOSE, OPENPOSE, PARSING, REPOSITORY, REVISION, VITON_HD

LARGE = 5000  # bytes: from here on the ETag is the SHA-256, as for the hub's large files


@dataclass
class StandInHub:
    """What is served, what shall go wrong, and what was asked.

    files       content by path in the repository
    cut_after   bytes after which a transfer is cut off; None = never
    cuts        how many transfers are cut; -1 = all
    die         whether a cut takes the file off the net until ``gone`` is cleared
    stall_after bytes after which a transfer stands still until ``go_on`` is set; None = never
    lie         names whose checksum is announced wrongly
    flip        names of which one byte is sent wrongly
    token       who does not bring it is told that there is no such repository; None = anybody may read
    is_gated    instead: that terms must be accepted
    requests    (method, name, first byte asked for)
    sent        bytes of bodies sent, by name
    """

    files: dict[str, bytes]
    cut_after: int | None = None
    cuts: int = -1
    die: bool = False
    gone: set[str] = field(default_factory=set)
    stall_after: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)
    lie: set[str] = field(default_factory=set)
    flip: set[str] = field(default_factory=set)
    token: str | None = None
    is_gated: bool = False
    revision: str = REVISION
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    url: str = ""

    def etag(self, name: str) -> str:
        content = self.files[name]
        if name in self.lie:
            content = content + b"!"
        digest = hashlib.sha256(content) if len(content) >= LARGE else hashlib.md5(content)
        return digest.hexdigest()

    @contextmanager
    def serving(self):
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            self.go_on.set()
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: StandInHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        prefix = f"/{REPOSITORY}/resolve/"
        if not self.path.startswith(prefix):
            return self._refuse("RepoNotFound")
        if self.hub.token and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._refuse("GatedRepo", 403) if self.hub.is_gated else self._refuse("RepoNotFound", 401)
        revision, _, name = self.path[len(prefix) :].partition("/")
        if revision != self.hub.revision:
            return self._refuse("RevisionNotFound")
        content = self.hub.files.get(name)
        if content is None:
            return self._refuse("EntryNotFound")
        if name in self.hub.gone and body:
            self.close_connection = True  # hang up without a word
            return None
        wanted = self.headers.get("Range", "")
        first = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted.startswith("bytes=") else 0
        self.hub.requests.append((self.command, name, first))
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", self.hub.revision)
        self.send_header("ETag", f'"{self.hub.etag(name)}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - first))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if body:
            self._send(name, content[first:])
        return None

    def _send(self, name: str, content: bytes) -> None:
        limit = self.hub.cut_after
        cut = limit is not None and len(content) > limit and self.hub.cuts != 0
        part = content[:limit] if cut else content
        self.hub.sent[name] = self.hub.sent.get(name, 0) + len(part)
        if name in self.hub.flip:
            part = part[:-1] + bytes([part[-1] ^ 1])
        stall = self.hub.stall_after
        if stall is not None and len(part) > stall and not self.hub.go_on.is_set():
            self.wfile.write(part[:stall])
            self.wfile.flush()
            self.hub.go_on.wait(300)
            part = part[stall:]
        self.wfile.write(part)
        self.wfile.flush()
        if cut:
            self.hub.cuts -= 1
            if self.hub.die:
                self.hub.gone.add(name)
            self.close_connection = True

    def _refuse(self, code: str, status: int = 404) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def base_configs(is_xl: bool = False) -> dict[str, dict]:
    """Configs of Stable Diffusion inpainting shape at toy size, by their path in a base folder."""
    unet = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": 9,
        "out_channels": 4,
        "block_out_channels": [16, 32],
        "layers_per_block": 1,
        "attention_head_dim": 8,
        "cross_attention_dim": 8,
        "norm_num_groups": 4,
        "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    }
    if is_xl:
        unet |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 64,
        }
    scheduler = {
        "_class_name": "PNDMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "steps_offset": 1,
    }
    return {
        "unet/config.json": unet,
        "vae/config.json": {**presets.vae("toy").config},
        "scheduler/scheduler_config.json": scheduler,
    }


def saved(state: object) -> bytes:
    """What ``torch.save`` writes."""
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def tiny_files(folder: Path) -> dict[str, bytes]:
    """Tiny files under all of the official names; ``folder`` is for scratch."""
    files: dict[str, bytes] = {}
    for weight_set, is_xl in ((VITON_HD, False), (DEEP_FASHION, True)):
        for name, config in base_configs(is_xl).items():
            path = folder / weight_set.base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(config))
            files[f"{weight_set.base}/{name}"] = path.read_bytes()
        torch.manual_seed(0)
        pipeline = LeffaPipeline.from_base(folder / weight_set.base)
        files[weight_set.weights.name] = saved(pipeline.official_state_dict())
    torch.manual_seed(1)
    dress_code = LeffaPipeline.from_base(folder / VITON_HD.base)
    files["virtual_tryon_dc.pth"] = saved(dress_code.official_state_dict())
    densepose = {"model": {"backbone.weight": np.ones((64, 64), np.float32)}, "__author__": "somebody"}
    files[DENSEPOSE.weights.name] = pickle.dumps(densepose, protocol=2)
    files[OPENPOSE.weights.name] = saved({"conv1_1.weight": torch.ones(64, 64)})
    for i, file in enumerate(PARSING.files):
        files[file.name] = bytes([i]) * LARGE
    return files
