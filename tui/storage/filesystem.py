"""Which kind of file system a path is on: SQLite's WAL is safe on a local disk only."""

from __future__ import annotations

from pathlib import Path

_NETWORK = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "afs",
        "9p",
        "glusterfs",
    }
)


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The type of the file system that holds `path`, e.g. `ext4`; empty where none can be told."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    target = path.resolve()
    best, found = -1, ""
    for line in lines:
        left, separator, right = line.partition(" - ")
        fields = left.split()
        if not separator or len(fields) < 5:
            continue
        mount = Path(fields[4].replace("\\040", " "))
        if (target == mount or mount in target.parents) and len(mount.parts) >= best:
            best, found = len(mount.parts), right.split()[0]
    return found


def is_network(path: Path) -> bool:
    """Whether `path` is on a network or user-space file system."""
    kind = file_system(path)
    return kind in _NETWORK or kind.startswith("fuse.")
