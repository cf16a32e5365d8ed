"""Checks that only src/io calls the kernel, clocks, entropy and threads.

Usage: check_seam.py ALLOW_FILE (core=ARCHIVE | sim=ARCHIVE | norn=PROGRAM | norn-sim=PROGRAM)...

Each object of our own libraries is asked for the symbols that it imports. A line of ALLOW_FILE is

    FOLDER/OBJECT SYMBOL reason

where both may be shell patterns. FOLDER is the library without its prefix: net/http2.o is in libnorn_net.a.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

BANNED = """
clock clock_* gettimeofday settimeofday time times ftime timespec_get nanosleep usleep sleep alarm
setitimer getitimer timer_* timerfd_* localtime localtime_r mktime tzset strftime_l
getrandom getentropy rand rand_r random srand srandom drand48 lrand48 mrand48 arc4random* uuid_*
open openat creat close close_range dup dup2 dup3 pipe pipe2 read readv write writev pread* pwrite* lseek
fopen fdopen freopen fclose fread fwrite fgets fgetc getc getchar fputs fputc putc fflush fseek* ftell* rewind
fprintf vfprintf dprintf vdprintf printf vprintf puts putchar perror getline getdelim fscanf scanf tmpfile
mkstemp* mkdtemp tmpnam stdin stdout stderr
stat fstat lstat fstatat statx statvfs fstatvfs access faccessat unlink unlinkat rename renameat* link symlink
readlink* realpath chmod fchmod chown fchown umask truncate ftruncate fallocate posix_fallocate posix_fadvise
fsync fdatasync sync syncfs sync_file_range mkdir mkdirat rmdir opendir fdopendir readdir* closedir scandir ftw nftw
getcwd chdir fchdir mount fcntl ioctl flock lockf sendfile splice copy_file_range inotify_* memfd_create glob
socket socketpair bind listen accept accept4 connect send sendto sendmsg* recv recvfrom recvmsg* shutdown
setsockopt getsockopt getsockname getpeername getaddrinfo freeaddrinfo getnameinfo gethostby* getservby* if_nameto*
gethostname poll ppoll select pselect epoll_* eventfd* signalfd io_uring_* syscall
pthread_* thrd_* mtx_* cnd_* tss_* call_once sem_* sched_*
mmap munmap mremap mprotect madvise mlock* munlock* msync brk sbrk shm_* mincore userfaultfd
fork vfork clone clone3 exec* posix_spawn* system popen wait waitpid wait3 wait4 waitid _exit exit quick_exit atexit
kill raise signal sigaction sigprocmask sigwait* sigaltstack sigsuspend
getenv secure_getenv setenv putenv unsetenv environ getpid getppid gettid getuid geteuid getgid getegid
getpwnam* getpwuid* getlogin* sysconf sysinfo uname getrusage getrlimit setrlimit prctl getauxval get_nprocs*
dlopen dlsym dlclose setlocale
malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc strdup strndup asprintf vasprintf
open_memstream malloc_usable_size backtrace*
""".split()
EXACT = {name for name in BANNED if "*" not in name}
PATTERNS = [name for name in BANNED if "*" in name]
KERNEL_ONLY = re.compile(r"^(io_uring_\w+|socket|bind|listen|accept4?|connect|send(to|msg)?|recv(from|msg)?|epoll_\w+|"
                         r"clock_\w+|gettimeofday|nanosleep|getrandom|getentropy|pthread_create|getaddrinfo)$")


def plain(symbol):
    """The function that a symbol stands for: without glibc's checking, 64-bit and version decorations."""
    name = symbol.split("@")[0]
    if name.startswith("__isoc99_") or name.startswith("__isoc23_"):
        name = name.split("_", 3)[3]
    if name.startswith("__") and name.endswith(("_chk", "_2")):
        name = re.sub(r"(_chk|_2)$", "", name[2:])
    for ending in ("64", "64_2"):
        if name.endswith(ending) and name[: -len(ending)] in EXACT:
            name = name[: -len(ending)]
    return name


def banned(symbol):
    name = plain(symbol)
    return name in EXACT or any(fnmatch.fnmatchcase(name, p) for p in PATTERNS)


def nm(path, *options):
    text = subprocess.run(["nm", *options, path], check=True, capture_output=True, text=True).stdout
    member = ""
    for line in text.splitlines():
        if line.endswith(".o:"):
            member = line[:-1].split("/")[-1]
        elif line.strip():
            yield member, line.split()


def main():
    allow_file = pathlib.Path(sys.argv[1])
    allowed = []
    for number, line in enumerate(allow_file.read_text().splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 3:
            sys.exit(f"{allow_file}:{number}: a reason is missing")
        allowed.append(words[:2])
    used = set()
    failures = []
    objects = 0
    # What one of our own libraries defines is no import, whatever its name looks like (timer_fire, uuid_parse).
    ours = {words[2] for argument in sys.argv[2:] if argument.startswith(("core=", "sim="))
            for _, words in nm(argument.split("=", 1)[1], "--defined-only") if len(words) == 3}
    for argument in sys.argv[2:]:
        kind, path = argument.split("=", 1)
        if kind in ("core", "sim"):
            folder = re.sub(r"^libnorn_|\.a$", "", pathlib.Path(path).name)
            own = set()
            for member, words in nm(path):
                own.add(member)
                if words[0] not in ("U", "w") or words[1] in ours or not banned(words[1]):
                    continue
                where = f"{folder}/{member}"
                hit = [i for i, (o, s) in enumerate(allowed)
                       if fnmatch.fnmatchcase(where, o) and fnmatch.fnmatchcase(plain(words[1]), s)]
                used.update(hit)
                if not hit:
                    failures.append(f"{where} imports {words[1]}")
            objects += len(own)
        elif kind == "norn":
            for _, words in nm(path):
                if words[-1].startswith(("sim_", "world_", "nemesis_", "fault_")):
                    failures.append(f"norn holds {words[-1]}, which belongs to the simulator")
        elif kind == "norn-sim":
            # SQLite imports pthread_create for helpers of its sorter, which are off unless a connection asks for them.
            for _, words in nm(path):
                name = words[-1].split("@")[0]
                imported = words[0] in ("U", "w") and KERNEL_ONLY.match(name) and name != "pthread_create"
                if imported or words[-1].startswith("io_uring_"):
                    failures.append(f"norn-sim holds {words[-1]}")
    if failures:
        print(*sorted(failures), sep="\n", file=sys.stderr)
        sys.exit(
            f"{len(failures)} imports go around src/io. Use io.h; a real exception needs a line with its reason in"
            f" tools/seam_allow.txt"
        )


if __name__ == "__main__":
    main()
