"""The nginx example, run as it is but for its paths and ports, in front of a server that speaks slowly."""

from __future__ import annotations

import contextlib
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from phigate.app.standin import stand_in
from tests.upstreams.calling import state_of
from tests.upstreams.serving import closed_port, served
from tests.upstreams.test_onprem_tls import Authority

CONF = Path(__file__).parents[2] / "deploy/nginx/phigate.conf"


@contextlib.contextmanager
def nginx(folder: Path, upstream: str) -> Iterator[tuple[str, Path]]:
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not on this machine")
    port = closed_port()
    authority = Authority(folder, "ca")
    certificate, key = authority.issue("phigate")
    text = CONF.read_text()
    for old, new in (
        ("127.0.0.1:8080", upstream.removeprefix("http://")),
        ("listen 8443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/nginx/tls/phigate.crt", certificate),
        ("/etc/nginx/tls/phigate.key", key),
        ("/var/log/nginx/", f"{folder}/"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "site.conf").write_text(text)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log crit; events {{}}\n"
        f"http {{ {temporary} include {folder}/site.conf; }}\n"
    )
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", str(folder / "early.log"), "-c", str(folder / "nginx.conf")]
    )
    try:
        url = f"https://127.0.0.1:{port}"
        deadline = time.monotonic() + 10
        context = ssl.create_default_context(cafile=str(authority.file))
        while True:
            try:
                httpx.get(f"{url}/metrics", verify=context, trust_env=False)
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url, authority.file
    finally:
        process.terminate()
        process.wait(10)


def test_nginx_passes_bodies_and_streams_and_keeps_nothing(tmp_path: Path) -> None:
    app = stand_in("ward", "m", pace_s=0.05)
    canary = "Zulmira Quixadá"
    asked = {"model": "m", "messages": [{"role": "user", "content": canary}]}
    with served(app) as upstream, nginx(tmp_path, upstream) as (url, authority):
        context = ssl.create_default_context(cafile=str(authority))
        with httpx.Client(verify=context, base_url=url, trust_env=False) as client:
            body = json.dumps(asked, ensure_ascii=False).encode()
            assert client.post("/v1/chat/completions", content=body).status_code == 200
            assert state_of(app).received[-1].body == body
            with client.stream("POST", "/v1/chat/completions", json={**asked, "stream": True}) as reply:
                arrived = [time.monotonic() for _ in reply.iter_raw()]
            assert len(arrived) > 5
            assert arrived[-1] - arrived[0] > 0.25  # not held back until the end
            assert client.get("/metrics").status_code == 404
            assert client.get("/received").status_code == 404
            assert client.post(f"/v1/{'x' * 10}", content=b"x" * (17 << 20)).status_code == 413
            client.get("/v1/models?who=Zulmira")
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"Zulmira" in path.read_bytes()]
    assert kept == []
