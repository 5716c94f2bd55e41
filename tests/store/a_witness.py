"""A witness in this process, as `phigate witness serve` decides and stores, without the network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from phigate.app.witness import WitnessState, witness_key
from phigate.errors import UnavailableError
from phigate.signing import in_memory
from phigate.store.cosigning import WitnessAt
from phigate.store.key_folder import read_keyring
from phigate.tlog.export import policy
from phigate.tlog.keyring import Role
from phigate.tlog.witness import Answer, check_request, cosigned, known_logs


class AWitness:
    """Answers what is posted to it; ``down`` makes it unreachable, ``answer`` overrides what it says."""

    def __init__(self, folder: Path, name: str = "compliance.test") -> None:
        self.signer = in_memory(name)
        self.key = witness_key(self.signer)
        self.at = WitnessAt(name, f"http://127.0.0.1:1/{name}")
        self.state = WitnessState(folder / f"{name}.db")
        self.keys = folder / "keys"
        self.down = False
        self.answer: Callable[[bytes], tuple[int, bytes]] | None = None
        self.asked = 0
        self.heard = threading.Event()
        self.now = 1_790_000_000

    def post(self, place: WitnessAt, data: bytes, timeout_s: float) -> tuple[int, bytes]:
        assert place == self.at
        assert timeout_s > 0
        self.asked += 1
        self.heard.set()
        if self.down:
            raise UnavailableError("down, as planned", code="unreachable")
        if self.answer is not None:
            return self.answer(data)
        keyring = read_keyring(self.keys)
        assert keyring is not None
        origins = [each.origin for each in keyring[0].keys if each.role is Role.CHECKPOINT]
        logs = known_logs(b"".join(policy(keyring[0], origin) for origin in origins))
        request = check_request(data, logs)
        if isinstance(request, Answer):
            return request.status, request.body
        self.now += 1
        answer = self.state.answer(request, now_s=self.now)
        if answer.store is not None:
            answer = cosigned(request, answer.store, key=self.key, sign=self.signer.sign)
        return answer.status, answer.body

    def size(self) -> int:
        heads = self.state.heads()
        return heads[0].known.size if heads else 0
