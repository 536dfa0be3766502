#pragma once

// From 0.12 on the headers live in a folder of their own, and the old names only warn.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

// What Swift's Glibc module does not show. No more of the system's headers than that: what a module's header includes counts as the
// module's own, and hides it from files that import Glibc alone.
#include <sys/eventfd.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

static inline int actorbus_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

// Whether a file's bytes are memory: on a tmpfs or a ramfs.
static inline int actorbus_lies_in_memory(int descriptor) {
    struct statfs system;
    if (fstatfs(descriptor, &system) != 0) return 0;
    return (unsigned)system.f_type == TMPFS_MAGIC || (unsigned)system.f_type == RAMFS_MAGIC;
}

static inline void actorbus_name_this_thread(const char *name) { (void)prctl(PR_SET_NAME, name); }
