"""Exit code 0 when `nvidia-smi` lists a GPU within its deadline, else 1; `make run` asks whether to install torch.

A driver that hangs may hold its caller where no signal reaches it: the process is then left behind, not waited for.
Runs before there is an environment, so it stands on the standard library alone.
"""

import os
import subprocess
import sys
import tempfile

DEADLINE_S = 15.0


def main(deadline_s: float) -> int:
    """Ask; the answer goes through a file, since a pipe would be held open by whoever hangs."""
    with tempfile.TemporaryFile() as answer:
        try:
            process = subprocess.Popen(
                ["nvidia-smi", "-L"],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError:
            return 1
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
            sys.stderr.write(
                f"nvidia-smi has not answered within {deadline_s:g} s: the NVIDIA driver hangs, so torch is left out."
                " Restart the machine, then `make run` again.\n"
            )
            return 1
        answer.seek(0)
        return 0 if any(line.startswith(b"GPU") for line in answer.readlines(100_000)) else 1


if __name__ == "__main__":
    sys.stdout.flush()
    code = main(float(sys.argv[1]) if len(sys.argv) > 1 else DEADLINE_S)
    sys.stderr.flush()
    os._exit(code)
