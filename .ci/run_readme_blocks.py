"""Run every Python block of a Markdown file, in order, each as a script in its own process.

The scripts share one temporary working directory. Exits with 1 if any of them fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

BLOCK = re.compile(r"^ *```py(?:thon)?\b[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def main(path: Path) -> int:
    """Run the blocks of one file and return the exit status."""
    text = path.read_text(encoding="utf-8")
    blocks = list(BLOCK.finditer(text))
    if not blocks:
        print(f"{path} has no Python block.", file=sys.stderr)
        return 1
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for block in blocks:
            lines_above = text.count("\n", 0, block.start(1))
            name = f"{path}, line {lines_above + 1}"
            script = Path(folder, f"line_{lines_above + 1}.py")
            # Blank lines above make the line numbers of a traceback those of the file.
            code = "\n" * lines_above + textwrap.dedent(block[1])
            script.write_text(code, encoding="utf-8")
            start = time.perf_counter()
            status = subprocess.run(
                [sys.executable, script.name], cwd=folder, env={**os.environ, "MPLBACKEND": "Agg"}
            ).returncode
            verdict = "passed" if status == 0 else "FAILED"
            print(f"{name}: {verdict} in {time.perf_counter() - start:.1f} s", flush=True)
            if status:
                failed.append(name)
    if failed:
        print(f"{len(failed)} of {len(blocks)} blocks failed: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
