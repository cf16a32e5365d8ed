/* uring_setup: opening a loop's ring, and telling what to allow where that fails. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "io/uring_internal.h"

static char disabled_setting(void) {
    char value = '?';
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return value;
    if (read(fd, &value, 1) != 1) value = '?';
    close(fd);
    return value;
}

static void tell_old_kernel(const char *release) {
    fprintf(stderr,
            "norn: this kernel (%s) is too old: norn needs Linux 6.1 or newer\n"
            "  (io_uring with SINGLE_ISSUER and DEFER_TASKRUN, multishot receive and buffer rings).\n",
            release);
}

static void tell_not_allowed(const char *release, int error) {
    fprintf(stderr, "norn: io_uring is not allowed here (%s, Linux %s). What to allow:\n", strerror(error), release);
    char setting = disabled_setting();
    if (setting == '1' || setting == '2') {
        fprintf(stderr,
                "  this host sets kernel.io_uring_disabled=%c; as root run:\n"
                "    sysctl -w kernel.io_uring_disabled=0\n",
                setting);
        if (setting == '1')
            fprintf(stderr, "  or put norn's user into the group that kernel.io_uring_group names.\n");
        return;
    }
    fprintf(stderr,
            "%s"
            "  a seccomp profile blocks it, as the default ones of Docker, containerd and Kubernetes do. Allow the\n"
            "  system calls io_uring_setup, io_uring_enter and io_uring_register in the profile:\n"
            "    docker run --security-opt seccomp=PROFILE.json ...   (or seccomp=unconfined, to try)\n"
            "    Kubernetes: securityContext.seccompProfile {type: Localhost, localhostProfile: PROFILE.json}\n"
            "    systemd: SystemCallFilter=@system-service io_uring_setup io_uring_enter io_uring_register\n",
            error == ENOSYS ? "  this kernel has no io_uring (CONFIG_IO_URING is off, or a sandbox such as gVisor), or\n" : "");
}

static void tell_failure(const char *step, int error) {
    struct utsname system;
    uname(&system);
    if (error == ENOSYS || error == EPERM || error == EACCES) {
        tell_not_allowed(system.release, error);
    } else if (error == EINVAL) {
        tell_old_kernel(system.release);
    } else if (error == ENOMEM) {
        fprintf(stderr, "norn: no memory for an io_uring ring; raise the memory limit of this service or container\n");
    } else if (error == EMFILE || error == ENFILE) {
        fprintf(stderr, "norn: too many open files; raise the limit (ulimit -n, LimitNOFILE=)\n");
    } else {
        fprintf(stderr, "norn: %s: %s\n", step, strerror(error));
    }
}

static int open_ring(struct io *io) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = URING_CQ_ENTRIES,
    };
    int error = io_uring_queue_init_params(URING_SQ_ENTRIES, &io->ring, &params);
    if (error) return error;
    io->ring_open = true;
    if (!(params.features & IORING_FEAT_NODROP) || !(params.features & IORING_FEAT_EXT_ARG)) return -EINVAL;
    return 0;
}

bool uring_ring_open(struct io *io) {
    const char *step = "io_uring_setup";
    int error = open_ring(io);
    if (!error) {
        step = "io_uring_register (ring)";
        int count = io_uring_register_ring_fd(&io->ring);
        error = count < 0 ? count : 0;
    }
    if (!error) {
        step = "io_uring_register (files)";
        error = io_uring_register_files_sparse(&io->ring, URING_FIXED_FILES);
    }
    if (!error) {
        step = "io_uring_register (buffers)";
        error = recv_pool_open(io);
    }
    if (error) {
        tell_failure(step, -error);
        uring_ring_close(io);
        return false;
    }
    return true;
}

void uring_ring_close(struct io *io) {
    if (!io->ring_open) return;
    io_uring_queue_exit(&io->ring);
    recv_pool_close(io);
    io->ring_open = false;
}
