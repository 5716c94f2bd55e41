"""Nothing of phigate calls home: the whole demo passes in a network namespace that holds nothing but loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

# Brings loopback up in a fresh namespace (SIOCSIFFLAGS, IFF_UP), shows that nothing else is there, becomes the demo.
_INSIDE = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", 1))
assert [name for _, name in socket.if_nameindex()] == ["lo"]
os.execv(sys.executable, [sys.executable, "-m", "phigate", "demo", "--once", "--port", "8097", "--folder", sys.argv[1]])
"""


def _may_unshare() -> bool:
    try:
        return subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not _may_unshare(), reason="this user may not make a network namespace (unshare --net)")
def test_the_demo_passes_without_a_network(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", _INSIDE, str(tmp_path / "site")],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "what left and what was recorded is what the decisions said" in done.stdout
