"""Puts what a bare machine with CUDA, torch and accelerate lacks for this check into one folder, under 60 MB.

    python -m benchmarks.gpu.wheels FOLDER [OPTION …]      where there is a package index; for another Python than this one pip's
                                                           options, as --python-version 3.12 --platform manylinux_2_28_x86_64

lidr's own wheel is among them. bitsandbytes' wheel has libraries for every CUDA, ROCm and Intel GPU, 43 MB of them; it keeps those
that any CUDA 12 or 13 loads.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

WHEELS = Path(__file__).with_name("wheels.txt")
KEPT = {f"bitsandbytes/libbitsandbytes_{name}.so" for name in ("cpu", "cuda128", "cuda130")}
"""bitsandbytes takes its nearest library of the same major version of CUDA."""
LIMIT = 60_000_000
"""Bytes."""


def is_kept(name: str) -> bool:
    """Whether a file of bitsandbytes' wheel stays in it."""
    return not name.endswith(".so") or name in KEPT


def strip(wheel: Path) -> None:
    """Leaves the libraries out that no machine with CUDA 12 or 13 loads, and their lines in the wheel's record."""
    thin = wheel.with_suffix(".thin")
    with zipfile.ZipFile(wheel) as full, zipfile.ZipFile(thin, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as less:
        for entry in filter(lambda entry: is_kept(entry.filename), full.infolist()):
            content = full.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                rows = content.decode().splitlines(keepends=True)
                content = "".join(row for row in rows if is_kept(row.partition(",")[0])).encode()
            less.writestr(entry.filename, content)
    thin.replace(wheel)


def main(folder: str, *options: str) -> None:
    download = ["download", "--only-binary=:all:", "--dest", folder, "--requirement", str(WHEELS), *options]
    own = ["wheel", "--wheel-dir", folder, str(WHEELS.parents[2])]
    for words in (download, own):
        subprocess.run([sys.executable, "-m", "pip", *words, "--quiet", "--no-deps"], check=True)
    for wheel in Path(folder).glob("bitsandbytes-*.whl"):
        strip(wheel)
    size = sum(wheel.stat().st_size for wheel in Path(folder).glob("*.whl"))
    print(f"{folder}: {size / 1e6:.1f} MB of {LIMIT / 1e6:.0f}")
    sys.exit(size > LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
