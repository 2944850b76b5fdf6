"""The file system that a path lies on, according to Linux's mount table."""

import re
from pathlib import Path

__all__ = ["mount_type", "network_file_system"]

_NETWORK_TYPES = re.compile(
    r"(nfs4?|cifs|smb[23]?|smbfs|smb3|9p|afs|ncpfs|ceph|lustre|glusterfs|gfs2?|ocfs2|beegfs|gpfs|orangefs|pvfs2"
    r"|fuse\.(?!(?:fuse-overlayfs|ntfs|ntfs-3g|exfat|gocryptfs|encfs|lxcfs|portal|gvfsd-fuse)$).+)"
)


def network_file_system(path: Path, mounts: str | None = None) -> str | None:
    """Name the type of the network file system that a path lies on.

    SQLite's locks and its write-ahead log do not hold between hosts that share a file over a network.

    Args:
        path: A file or folder, existing or not.
        mounts: The text of /proc/mounts; None reads the file.

    Returns:
        The type, such as `nfs4`; None on a local file system, or where the system does not tell.

    >>> network_file_system(Path("/data/study.db"), "server:/export /data nfs4 rw 0 0")
    'nfs4'
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
    found = mount_type(path.resolve(), mounts)
    return found if found is not None and _NETWORK_TYPES.fullmatch(found) else None


def mount_type(path: Path, mounts: str) -> str | None:
    """Name the file system type of the innermost mount that holds a path; of several on one point, the last.

    Args:
        path: An absolute path without symbolic links.
        mounts: The text of /proc/mounts.
    """
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        # Blanks and the like are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        if path.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), fields[2])
    return best[1] if best else None
