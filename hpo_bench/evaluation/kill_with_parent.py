"""Runs a program and ends it, and all that it started, when whoever asked for it is gone.

Run as `python kill_with_parent.py FOLDER PROGRAM ARGUMENT...` and not imported. Standard input is a pipe that nothing
comes through: the program ends when the pipe's other end is closed, by hand or by the system that ended the process
which held it. A program in a session of its own, as one must be to be ended as a whole, would else outlive a worker
that is killed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading


def main(folder: str, words: list[str]) -> int:
    """Run a program until it ends or is to be ended.

    Args:
        folder: Deleted in the end, as a model in it may be large.
        words: The program and its arguments.

    Returns:
        Its exit code; 128 and the signal's number if a signal ended it, 127 if it cannot be run.
    """
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603, the user's own
    except OSError as error:
        sys.stderr.write(f"it cannot be run: {error.strerror}\n")
        return 127

    def follow() -> None:
        sys.stdin.buffer.read()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    threading.Thread(target=follow, daemon=True).start()
    code = process.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    # Not sys.exit, which would wait for the lock that the thread holds while it reads.
    answer = main(sys.argv[1], sys.argv[2:])
    sys.stderr.flush()
    os._exit(answer)
