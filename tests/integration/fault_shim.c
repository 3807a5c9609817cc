/* SPDX-License-Identifier: MIT */
/*
 * fault_shim -- lets system calls of a running program fail, as its test says.
 *
 * To be preloaded. FAULT_SHIM_CONTROL names a file of struct slot, one for each call in
 * the order of enum call, which the test maps and writes while the program runs.
 * FAULT_SHIM_DIRECTORY: only what happens below it fails, so that logs, sockets and
 * event descriptors keep working; accept is the exception.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/xattr.h>
#include <unistd.h>

enum call {
    CALL_OPEN,
    CALL_WRITE,
    CALL_ALLOCATE,
    CALL_ATTRIBUTE,
    CALL_SYNC_FILE,
    CALL_SYNC_DIRECTORY,
    CALL_LINK,
    CALL_ACCEPT,
    CALL_READ_AT,
    CALL_WRITE_AT,
    CALLS,
};

struct slot {
    atomic_int sys;   /* errno to fail with; 0: works */
    atomic_int spare; /* calls that still work */
    atomic_int hits;  /* calls that failed */
};

static struct slot *slots; /* NULL: nothing fails */
static const char *directory;

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("FAULT_SHIM_CONTROL");
    size_t size = CALLS * sizeof(struct slot);
    void *map;
    int fd;

    directory = getenv("FAULT_SHIM_DIRECTORY");
    fd = path && directory ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED)
        slots = map;
}

static bool armed(enum call call)
{
    return slots && atomic_load(&slots[call].sys) != 0;
}

/* True when the call has to fail: errno is set. */
static bool fails(enum call call)
{
    if (atomic_fetch_sub(&slots[call].spare, 1) > 0)
        return false;
    atomic_fetch_add(&slots[call].hits, 1);
    errno = atomic_load(&slots[call].sys);
    return true;
}

static bool is_below(const char *path)
{
    return strncmp(path, directory, strlen(directory)) == 0;
}

static bool is_ours(int fd)
{
    char link[32], path[PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return is_below(path);
}

static bool is_ours_at(int fd, const char *path)
{
    return *path == '/' ? is_below(path) : fd != AT_FDCWD && is_ours(fd);
}

static bool is_directory(int fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 && S_ISDIR(about.st_mode);
}

/* The real function behind the one of this name. */
#define REAL(name)                                                                     \
    static __typeof__(name) *real;                                                     \
    if (!real)                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

static bool open_fails(int fd, const char *path)
{
    return armed(CALL_OPEN) && is_ours_at(fd, path) && fails(CALL_OPEN);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int openat(int fd, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;
    REAL(openat);

    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return open_fails(fd, path) ? -1 : real(fd, path, flags, mode);
}

int openat64(int fd, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;
    REAL(openat64);

    va_start(args, flags);
    mode = mode_of(flags, args);
    va_end(args);
    return open_fails(fd, path) ? -1 : real(fd, path, flags, mode);
}

/* openat2 has no function of its own. */
long syscall(long number, ...)
{
    va_list args;
    long a[6];
    REAL(syscall);

    va_start(args, number);
    for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number == SYS_openat2 && open_fails((int)a[0], (const char *)a[1]))
        return -1;
    return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    REAL(write);
    if (armed(CALL_WRITE) && is_ours(fd) && fails(CALL_WRITE))
        return -1;
    return real(fd, bytes, n);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    REAL(pwrite);
    if (armed(CALL_WRITE_AT) && is_ours(fd) && fails(CALL_WRITE_AT))
        return -1;
    return real(fd, bytes, n, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset)
{
    REAL(pwrite64);
    if (armed(CALL_WRITE_AT) && is_ours(fd) && fails(CALL_WRITE_AT))
        return -1;
    return real(fd, bytes, n, offset);
}

ssize_t pread(int fd, void *bytes, size_t n, off_t offset)
{
    REAL(pread);
    if (armed(CALL_READ_AT) && is_ours(fd) && fails(CALL_READ_AT))
        return -1;
    return real(fd, bytes, n, offset);
}

ssize_t pread64(int fd, void *bytes, size_t n, off64_t offset)
{
    REAL(pread64);
    if (armed(CALL_READ_AT) && is_ours(fd) && fails(CALL_READ_AT))
        return -1;
    return real(fd, bytes, n, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    REAL(fallocate);
    if (armed(CALL_ALLOCATE) && is_ours(fd) && fails(CALL_ALLOCATE))
        return -1;
    return real(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    REAL(fallocate64);
    if (armed(CALL_ALLOCATE) && is_ours(fd) && fails(CALL_ALLOCATE))
        return -1;
    return real(fd, mode, offset, length);
}

int fsetxattr(int fd, const char *name, const void *value, size_t n, int flags)
{
    REAL(fsetxattr);
    if (armed(CALL_ATTRIBUTE) && is_ours(fd) && fails(CALL_ATTRIBUTE))
        return -1;
    return real(fd, name, value, n, flags);
}

int fsync(int fd)
{
    enum call call;
    REAL(fsync);

    call = is_directory(fd) ? CALL_SYNC_DIRECTORY : CALL_SYNC_FILE;
    if (armed(call) && is_ours(fd) && fails(call))
        return -1;
    return real(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync);
    if (armed(CALL_SYNC_FILE) && is_ours(fd) && fails(CALL_SYNC_FILE))
        return -1;
    return real(fd);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    REAL(linkat);
    if (armed(CALL_LINK) && is_ours_at(to, new) && fails(CALL_LINK))
        return -1;
    return real(from, old, to, new, flags);
}

int renameat(int from, const char *old, int to, const char *new)
{
    REAL(renameat);
    if (armed(CALL_LINK) && is_ours_at(to, new) && fails(CALL_LINK))
        return -1;
    return real(from, old, to, new);
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    REAL(renameat2);
    if (armed(CALL_LINK) && is_ours_at(to, new) && fails(CALL_LINK))
        return -1;
    return real(from, old, to, new, flags);
}

int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *restrict length, int flags)
{
    REAL(accept4);
    if (armed(CALL_ACCEPT) && fails(CALL_ACCEPT))
        return -1;
    return real(fd, peer, length, flags);
}
