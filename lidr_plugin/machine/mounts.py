"""Whether a folder is on this machine's disk or comes over a network."""

from pathlib import Path

_NETWORK = frozenset(
    "9p afs beegfs ceph cifs gfs2 glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2 orangefs panfs smb3 smbfs virtiofs wekafs".split()
)
_TABLE = Path("/proc/self/mounts")
_ESCAPES = {r"\040": " ", r"\011": "\t", r"\012": "\n", r"\134": "\\"}


def is_network(path: Path) -> bool:
    """Whether a file lies, or would lie, in a file system that several machines may have (Linux; elsewhere False)."""
    try:
        mounts = _TABLE.read_text(errors="replace").splitlines()
    except OSError:
        return False
    real = path.resolve()
    kinds = {}
    for line in mounts:
        _, place, kind, *_ = line.split(" ")
        for escape, character in _ESCAPES.items():
            place = place.replace(escape, character)
        if real.is_relative_to(place):
            kinds[len(place)] = kind  # a later one at the same place lies above
    nearest = kinds[max(kinds)] if kinds else ""
    return nearest in _NETWORK or nearest.startswith("fuse.")
