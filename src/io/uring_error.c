/* uring_error: the kernel's error numbers, as io's. */
#include <errno.h>

#include "io/uring_internal.h"

int64_t uring_error(int errno_value) {
    int error = errno_value < 0 ? -errno_value : errno_value;
    switch (error) {
    case ECANCELED: case EINTR: return -IO_ECANCELED;
    case ECONNRESET: case ECONNABORTED: return -IO_ERESET;
    case ECONNREFUSED: return -IO_EREFUSED;
    case ETIMEDOUT: case ETIME: return -IO_ETIMEDOUT;
    case ENETUNREACH: case EHOSTUNREACH: case ENETDOWN: case EHOSTDOWN: return -IO_EUNREACHABLE;
    case EADDRINUSE: return -IO_EADDRINUSE;
    case EADDRNOTAVAIL: case EAFNOSUPPORT: return -IO_EADDRNOTAVAIL;
    case EPIPE: case ENOTCONN: return -IO_EPIPE;
    case ENOENT: return -IO_ENOENT;
    case EEXIST: return -IO_EEXIST;
    case EACCES: case EPERM: case EROFS: return -IO_EACCESS;
    case ENOTDIR: return -IO_ENOTDIR;
    case EISDIR: return -IO_EISDIR;
    case ENOTEMPTY: return -IO_ENOTEMPTY;
    case ENOSPC: case EDQUOT: case EFBIG: return -IO_ENOSPC;
    case EWOULDBLOCK: case EBUSY: return -IO_ELOCKED;
    case EMFILE: case ENFILE: case ENOBUFS: case ENOMEM: return -IO_EFILES;
    case EOPNOTSUPP: case ENOSYS: return -IO_ENOTSUP;
    case EINVAL: case ENAMETOOLONG: case ELOOP: case EXDEV: case ETXTBSY: case EBADF: return -IO_EINVAL;
    default: return -IO_EIO;
    }
}
