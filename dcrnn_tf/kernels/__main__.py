"""Compiles the operations: python -m dcrnn_tf.kernels.

It takes a C++ compiler, `$CXX` or `c++`; without one it says so, and only speed is lost.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from dcrnn_tf.system import command_line

# Products and sums are not contracted, as in TensorFlow's operations: the bits are theirs.
FLAGS = (
    *("-shared", "-fPIC", "-O3", "-w"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
_PARTIAL = "partial-"
_LONGEST_SECONDS = 3600  # of a compilation; an older folder was left by one that was killed


def main() -> None:
    """Compiles what is not compiled."""
    import tensorflow as tf

    from dcrnn_tf.kernels import operations

    file = operations.library_file()
    if file.is_file():
        return
    compiler = os.environ.get("CXX", "c++")
    if shutil.which(compiler) is None:
        print(
            f"There is no C++ compiler ({compiler}; CXX names another): TensorFlow's operations "
            "will be used, more slowly."
        )
        return
    for left in file.parent.glob(f"{_PARTIAL}*"):
        if time.time() - left.stat().st_mtime > _LONGEST_SECONDS:  # else it is in use
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=file.parent) as folder:
        partial = os.path.join(folder, file.name)
        command = [
            compiler,
            *FLAGS,
            *tf.sysconfig.get_compile_flags(),
            *map(str, operations.sources()),
        ]
        command += [*tf.sysconfig.get_link_flags(), "-o", partial]
        compiled = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if compiled.returncode:
            print(f"{' '.join(command)} failed:\n{compiled.stderr}", file=sys.stderr)
            print(
                "The compiled operations could not be built; TensorFlow's will be used, more "
                "slowly.",
                file=sys.stderr,
            )
            return
        for stale in file.parent.glob("operations-*.so"):
            stale.unlink()
        os.replace(partial, file)
    print(f"Compiled {file.name}.")


if __name__ == "__main__":
    command_line.run(main)
