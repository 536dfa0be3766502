#pragma once

// From 0.12 on the headers live in a folder of their own, and the old names only warn.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#endif

// What Swift's Glibc module does not show.
#include <pthread.h>
#include <sys/eventfd.h>

static inline int actorbus_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

// Not declared without _GNU_SOURCE, which a module's header cannot ask for.
extern int pthread_setname_np(pthread_t thread, const char *name);

static inline void actorbus_name_this_thread(const char *name) { (void)pthread_setname_np(pthread_self(), name); }
