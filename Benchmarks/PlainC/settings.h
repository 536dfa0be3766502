#pragma once

#include <stddef.h>

/* What is to be done, as every rival takes it from its environment. */
struct settings {
    const char *host;
    int port;
    const char *user;
    const char *password;
    const char *work;
    const char *exchange;
    const char *routing_key;
    const char *queue;
    const char *samples;
    long count;
    long size;
    long window;
    long prefetch;
    long connections;
    long seconds;
    long limit;
};

struct settings settings_from_environment(void);
