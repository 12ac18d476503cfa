"""System-call filters in classic BPF: one for the whole worker, and a stricter one for test runners and solutions.

Landlock covers access to files. These filters cover other rights, such as sockets, forks, signals to other processes,
limits, keyrings and file modes. They refuse the listed calls, some only with certain arguments, and allow all others,
since solutions import any module of the standard library and of numpy, and the system calls of those modules differ
between C libraries. Most refused calls fail with EPERM, so an honest program that tries one usually gets an ordinary
PermissionError.

Source of the numbers: Linux uapi, asm/unistd_64.h (x86-64) and asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

# Each entry is a name, its number on x86-64 and its number on aarch64; "-" where the call does not exist.
_EVERYWHERE = """
socket 41 198  connect 42 203  bind 49 200  listen 50 201  accept 43 202  accept4 288 242
ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440  process_mrelease 448 448
kcmp 312 272  pidfd_getfd 438 438  pidfd_open 434 434  pidfd_send_signal 424 424
mount 165 40  umount2 166 39  move_mount 429 429  open_tree 428 428  fsopen 430 430  fsconfig 431 431  fsmount 432 432
fspick 433 433  mount_setattr 442 442  pivot_root 155 41  chroot 161 51
keyctl 250 219  add_key 248 217  request_key 249 218
bpf 321 280  perf_event_open 298 241  userfaultfd 323 282  io_uring_setup 425 425  io_uring_enter 426 426
io_uring_register 427 427  kexec_load 246 104  kexec_file_load 320 294  init_module 175 105  finit_module 313 273
delete_module 176 106  create_module 174 -  reboot 169 142  swapon 167 224  swapoff 168 225  syslog 103 116  acct 163 89
quotactl 179 60  quotactl_fd 443 443  lookup_dcookie 212 18  nfsservctl 180 42  uselib 134 -  _sysctl 156 -
vhangup 153 58  modify_ldt 154 -  iopl 172 -  ioperm 173 -  personality 135 92  sync 162 81  syncfs 306 267
unshare 272 97  setns 308 268  sethostname 170 161  setdomainname 171 162
setuid 105 146  setgid 106 144  setreuid 113 145  setregid 114 143  setresuid 117 147  setresgid 119 149
setfsuid 122 151  setfsgid 123 152  setgroups 116 159  capset 126 91
settimeofday 164 170  clock_settime 227 112  adjtimex 159 171  clock_adjtime 305 266
chown 92 -  lchown 94 -  fchown 93 55  fchownat 260 54
utime 132 -  utimes 235 -  futimesat 261 -  setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7
removexattr 197 14  lremovexattr 198 15  fremovexattr 199 16  setxattrat 463 463  removexattrat 466 466
file_setattr 469 469  truncate 76 45  getxattr 191 8  lgetxattr 192 9  fgetxattr 193 10  getxattrat 464 464
inotify_init 253 -  inotify_init1 294 26  inotify_add_watch 254 27  io_setup 206 0  open_tree_attr 467 467
statmount 457 457  listmount 458 458  lsm_set_self_attr 460 460  listns 470 470  set_mempolicy_home_node 450 450
name_to_handle_at 303 264  open_by_handle_at 304 265  fanotify_init 300 262  fanotify_mark 301 263
memfd_create 319 279  memfd_secret 447 447  shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193
semctl 66 191  semtimedop 220 192  msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187  mq_open 240 180
mq_unlink 241 181  mbind 237 235  migrate_pages 256 238  move_pages 279 239  set_mempolicy 238 237  mlock 149 228
mlock2 325 284  mlockall 151 230  sched_setaffinity 203 122  sched_setscheduler 144 119  sched_setparam 142 118
sched_setattr 314 274  setpriority 141 140  ioprio_set 251 30
"""
_CHILDREN = """
fork 57 -  vfork 58 -  execve 59 221  execveat 322 281  seccomp 317 277  setsid 112 157  setpgid 109 154
rt_sigqueueinfo 129 138  rt_tgsigqueueinfo 297 240  sendmsg 46 211  sendmmsg 307 269  recvmsg 47 212  recvmmsg 299 243
chmod 90 -  fchmod 91 52  fchmodat 268 53  fchmodat2 452 452  mincore 27 232  cachestat 451 451
set_tid_address 218 96  futex_waitv 449 449  futex_wake 454 454  futex_wait 455 455  futex_requeue 456 456
utimensat 280 88
"""
_WITHOUT_EFFECT = """
flock 73 32  fadvise64 221 223  readahead 187 213  fsync 74 82  fdatasync 75 83  sync_file_range 277 84  msync 26 227
"""
"""Calls of children that succeed and do nothing.

Nobody reads a scratch folder after a crash of the machine, so no process needs to wait until the disk has a file.
No other process can use the files that a child may write, so a lock on such a file changes nothing. On library files,
locks and the page cache would be marks for later solutions.
"""

_BY_ARGUMENT = """
clone 56 220  clone3 435 435  kill 62 129  tkill 200 130  tgkill 234 131  prlimit64 302 261  prctl 157 167  fcntl 72 25
ioctl 16 29  socketpair 53 199  sendto 44 206  fallocate 285 47  preadv2 327 286  madvise 28 233  futex 202 98
statx 332 291  open 2 -  openat 257 56  openat2 437 437
"""
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_LOAD, _AND, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NOTHING = _ERRNO  # the call is not made and returns 0
_PID_HOLE = 0x50494421  # replaced by the child's own pid when its filter is installed
_X32_BIT = 0x40000000
_CLONE_THREAD = 0x00010000
_PR_SET_NAME, _PR_GET_NAME = 15, 16
_FCNTL = (0, 1, 2, 3, 4, 5, 36, 1030, 1032)
"""Allowed: F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_OFD_GETLK, F_DUPFD_CLOEXEC, F_GETPIPE_SZ.

Leases, dnotify, read-write hints and the size of pipes are among the refused commands. Most of them work on a library
file that is open for reading, and other processes can see their effect. A solution could use them to leave a mark for
the next one.
"""

_LOCKS = (6, 7, 37, 38)
"""Without effect: F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW (see _WITHOUT_EFFECT)."""

_IOCTL = (0x541B, 0x5421, 0x5450, 0x5451, 0x5401, 0x802C542A, 0x5413)
"""Allowed: FIONREAD, FIONBIO, FIONCLEX, FIOCLEX, TCGETS, TCGETS2, TIOCGWINSZ.

FS_IOC_SETFLAGS and EXT4_IOC_SETVERSION are among the refused commands. They change a file that is open for reading.
"""


_O_TMPFILE = 0o20000000
"""The flag of a file without a name. Such a file leaves no trace in its folder while it fills the disk."""

_MSG_OOB = 1
_RWF_KNOWN = 0x17
"""RWF_HIPRI, RWF_DSYNC, RWF_SYNC and RWF_APPEND. Other flags, such as RWF_NOWAIT, may show or change the page cache."""

_MADV_COLD, _MADV_PAGEOUT = 20, 21
_FUTEX_PRIVATE, _FUTEX_CLOCK, _FUTEX_WAIT, _FUTEX_WAIT_BITSET = 128, 256, 0, 9

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    """Return whether the filters know the system calls of this architecture."""
    return os.uname().machine in _ARCHITECTURES


def _numbers(table: str) -> dict[str, int]:
    words = table.split()
    column = _ARCHITECTURES[os.uname().machine][0]
    triples = zip(words[::3], words[1::3], words[2::3], strict=True)
    return {name: int(pair[column]) for name, *pair in triples if pair[column] != "-"}


def _refuse(number: int, code: int = errno.EPERM) -> list[Instruction]:
    return [(_JEQ, 0, 1, number), (_RETURN, 0, 0, _ERRNO | code)]


def _rule(number: int, argument: int, tests: list[Instruction], otherwise: int) -> list[Instruction]:
    """Return the steps that check one argument of the call `number`.

    They load the low word of `argument`, apply `tests`, and return `otherwise` if no test matches.
    """
    body = [(_LOAD, 0, 0, 16 + 8 * argument), *tests, (_RETURN, 0, 0, otherwise)]
    return [(_JEQ, 0, len(body), number), *body]


def _when(kind: int, value: int, answer: int) -> list[Instruction]:
    return [(kind, 0, 1, value), (_RETURN, 0, 0, answer)]


def _by_argument() -> list[Instruction]:
    call, refused = _numbers(_BY_ARGUMENT), _ERRNO | errno.EPERM
    program = _refuse(call["clone3"], errno.ENOSYS)  # libc then uses clone, whose flags a filter can read
    program += _refuse(call["statx"], errno.ENOSYS)  # it shows when a scratch folder was made. libc then uses fstatat
    program += _refuse(call["openat2"], errno.ENOSYS)  # its flags lie in memory, which a filter cannot read
    for name, flags in (("open", 1), ("openat", 2)):
        if name in call:
            nameless = _when(_JSET, _O_TMPFILE, _ERRNO | errno.EOPNOTSUPP)
            # Landlock before Linux 6.2 lets a file that may only be read be emptied by O_RDONLY | O_TRUNC.
            emptying = [(_AND, 0, 0, os.O_TRUNC | os.O_ACCMODE), *_when(_JEQ, os.O_TRUNC | os.O_RDONLY, refused)]
            program += _rule(call[name], flags, nameless + emptying, _ALLOW)
    program += _rule(call["clone"], 0, _when(_JSET, _CLONE_THREAD, _ALLOW), refused)
    for name in ("kill", "tkill", "tgkill"):
        program += _rule(call[name], 0, _when(_JEQ, _PID_HOLE, _ALLOW), refused)
    # A child may read limits, and set its own limits. It can only lower them, since soft and hard limits are equal.
    reading = [(_JEQ, 0, 3, 0), (_LOAD, 0, 0, 16 + 8 * 2 + 4), (_JEQ, 0, 1, 0), (_RETURN, 0, 0, _ALLOW)]
    itself = [(_LOAD, 0, 0, 16), *_when(_JEQ, 0, _ALLOW)]
    program += _rule(call["prlimit64"], 2, reading + itself, refused)
    names = _when(_JEQ, _PR_SET_NAME, _ALLOW) + _when(_JEQ, _PR_GET_NAME, _ALLOW)
    program += _rule(call["prctl"], 0, names, refused)
    for name, values, done in (("fcntl", _FCNTL, _LOCKS), ("ioctl", _IOCTL, ())):
        answers = [(value, _ALLOW) for value in values] + [(value, _NOTHING) for value in done]
        program += _rule(call[name], 1, [step for one in answers for step in _when(_JEQ, *one)], refused)
    for number in _numbers(_WITHOUT_EFFECT).values():
        program += _when(_JEQ, number, _NOTHING)
    program += _page_cache(call)
    # glibc joins a thread with a shared wait. The kernel itself wakes it.
    waits = [(_AND, 0, 0, 0xFFFFFFFF ^ _FUTEX_CLOCK), *_when(_JEQ, _FUTEX_WAIT, _ALLOW)]
    waits = [*_when(_JSET, _FUTEX_PRIVATE, _ALLOW), *waits, *_when(_JEQ, _FUTEX_WAIT_BITSET, _ALLOW)]
    program += _rule(call["futex"], 1, waits, refused)
    # An out-of-band byte would reach the other end of the channel outside the frames.
    program += _rule(call["sendto"], 3, _when(_JSET, _MSG_OOB, refused), _ALLOW)
    # asyncio needs AF_UNIX streams. A datagram socket could send to any address.
    stream = [(_JEQ, 1, 0, 1), (_RETURN, 0, 0, refused), (_LOAD, 0, 0, 16 + 8), (_AND, 0, 0, 0xF)]
    program += _rule(call["socketpair"], 0, stream + _when(_JEQ, 1, _ALLOW), refused)
    return program


def _page_cache(call: dict[str, int]) -> list[Instruction]:
    """Return the rules for calls that show or change which pages of a file are in memory, or that use up the disk."""
    program = _refuse(call["fallocate"], errno.EOPNOTSUPP)  # it could take any amount of space in no time
    flags = _when(_JSET, 0xFFFFFFFF ^ _RWF_KNOWN, _ERRNO | errno.EOPNOTSUPP)
    program += _rule(call["preadv2"], 5, flags, _ALLOW)
    advice = [*_when(_JEQ, _MADV_COLD, _NOTHING), *_when(_JEQ, _MADV_PAGEOUT, _NOTHING)]
    return program + _rule(call["madvise"], 2, advice, _ALLOW)


def assemble(refused: dict[str, int], extra: list[Instruction]) -> bytes:
    """Return the BPF program as an array of `struct sock_filter`.

    A call of a foreign architecture or of the x32 ABI kills the process. A call in `refused` fails with EPERM. The
    rules in `extra` decide next, and every other call is allowed.
    """
    program: list[Instruction] = [
        (_LOAD, 0, 0, 4),
        (_JEQ, 1, 0, _ARCHITECTURES[os.uname().machine][1]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        *_when(_JGE, _X32_BIT, _KILL),
    ]
    for number in refused.values():
        program += _refuse(number)
    program += [*extra, (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", *step) for step in program)


def worker_filter() -> bytes:
    """Return the filter for all processes of a worker. It refuses what none of them needs."""
    return assemble(_numbers(_EVERYWHERE), [])


def child_filter() -> bytes:
    """Return the additional filter for test runners and solutions.

    Among other calls, it refuses new processes, signals to other processes, changes of the limits of other processes,
    and messages that carry descriptors.
    """
    return assemble(_numbers(_CHILDREN), _by_argument())


class Filter:
    """A filter program, which is built before a fork and installed after it."""

    def __init__(self, program: bytes) -> None:
        self._buffer = ctypes.create_string_buffer(program, len(program))
        steps = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
        self._holes = [8 * index + 4 for index, step in enumerate(steps) if step[3] == _PID_HOLE and step[0] == _JEQ]
        header = struct.pack("@HP", len(steps), ctypes.addressof(self._buffer))
        self._header = ctypes.create_string_buffer(header, len(header))
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._number = _numbers(_CHILDREN)["seccomp"]

    def install(self) -> None:
        """Install the filter for this thread and for all threads and processes that it will start.

        The filter cannot be removed. The process must have set no_new_privs. Raises OSError if the kernel refuses the
        filter.
        """
        for hole in self._holes:
            struct.pack_into("=I", self._buffer, hole, os.getpid())
        set_filter, allow_speculation = 1, 1 << 2  # without this flag old kernels slow down every child
        if self._syscall(self._number, set_filter, allow_speculation, self._header) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"the kernel refused the system-call filter: {os.strerror(code)}")
