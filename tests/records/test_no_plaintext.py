from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from medassist.records.vault import Vault
from tests.records.making import PASSPHRASE

ROOT = Path(__file__).parents[2]
NAME, NUMBER = "Zorblattina Quux", "MRN-48151623"

SESSION = """
import asyncio, logging, os, sys
logging.basicConfig(level=logging.DEBUG, filename=sys.argv[2])
from pathlib import Path
from medassist.records.recorder import Recorder
from medassist.consult.verdict import now
from medassist.records.record import WarningGiven
from medassist.records.vault import Vault
from tests.records.making import CHEAP, PASSPHRASE, a_record, a_turn, ask

async def main():
    vault = Vault(Path(sys.argv[1]))
    await vault.create(PASSPHRASE, CHEAP)
    record = a_record(f"{NAME}, {NUMBER}: chest pain?")
    record.warnings = (WarningGiven("name", 1, "saving", "kept", now()),)
    recorder = Recorder(vault, record)
    await recorder.save()
    for n in range(40):
        a_turn(record, f"{NAME} again, {n}?", f"{NUMBER} " * 200, f"{NAME} " * 200)
        await recorder.save()
    gone = Recorder(vault, a_record(f"{NAME} is deleted?"))
    await gone.save()
    await vault.store.delete([gone.id])
    assert await vault.store.search(NAME)
    assert await vault.store.search(NUMBER)
    await vault.change(PASSPHRASE, PASSPHRASE + "!")
    turn = ask(record, f"{NAME} under way?")
    turn.shown("base").write(f"{NUMBER} and " * 50, 9)
    await recorder.save()
    print("ready", flush=True)
    if sys.argv[3] == "crash":
        await vault.store.write([lambda db: db.execute(f"SELECT {turn.question}")])
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["crash", "kill"])
async def test_no_file_of_a_session_holds_a_name_or_a_record_number(
    tmp_path: Path, end: str
) -> None:
    folder, temporary = tmp_path / "home" / "records", tmp_path / "tmp"
    temporary.mkdir()
    script = SESSION.replace("{NAME}", NAME).replace("{NUMBER}", NUMBER)
    script = script.replace("NAME)", f"{NAME!r})").replace("NUMBER)", f"{NUMBER!r})")
    log = tmp_path / "log.txt"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script, str(folder), str(log), end],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary), "SQLITE_TMPDIR": str(temporary)},
        capture_output=True,
    )
    (tmp_path / "stdout").write_bytes(done.stdout)
    (tmp_path / "stderr").write_bytes(done.stderr)
    assert b"ready" in done.stdout, done.stderr.decode()
    assert done.returncode == (1 if end == "crash" else -9)
    assert (b"RecordsError" in done.stderr) == (end == "crash")
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    names = {f.name for f in files}
    assert {"records.db", "key.json", "log.txt", "stderr"} <= names
    if end == "kill":
        assert {"records.db-wal", "records.db-shm"} <= names
        assert done.stderr == b""  # SQLCipher says nothing on the user's screen
    planted = [
        word.encode(encoding)
        for word in (*NAME.split(), NUMBER, "48151623", "aspirin", PASSPHRASE)
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
    ]
    for file in files:
        content = file.read_bytes().lower()
        held = [word for word in planted if word.lower() in content]
        assert held == [], f"{file.name} holds {held}"
    vault = Vault(folder)
    store = await vault.unlock(PASSPHRASE + "!")
    assert len(await store.search(NUMBER)) == 1
    await vault.lock()


def test_the_records_cost_the_first_frame_nothing() -> None:
    script = (
        "import medassist.records.recorder, medassist.records.vault, sys;"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "medassist" in loaded
    assert not loaded & {"sqlcipher3", "nacl", "argon2", "fpdf", "PIL", "keyring"}
