#include "settings.h"

#include "failure.h"

#include <stdlib.h>

static const char *text(const char *name) {
    const char *value = getenv(name);
    if (!value) fail("the environment has no %s", name);
    return value;
}

static long number(const char *name) {
    char *end;
    const char *value = text(name);
    long result = strtol(value, &end, 10);
    if (end == value || *end || result < 0) fail("%s is '%s', and no number", name, value);
    return result;
}

struct settings settings_from_environment(void) {
    return (struct settings){
        .host = text("BENCH_HOST"),
        .port = (int)number("BENCH_PORT"),
        .user = text("BENCH_USER"),
        .password = text("BENCH_PASSWORD"),
        .work = text("BENCH_WORK"),
        .exchange = text("BENCH_EXCHANGE"),
        .routing_key = text("BENCH_ROUTING_KEY"),
        .queue = text("BENCH_QUEUE"),
        .samples = text("BENCH_SAMPLES"),
        .count = number("BENCH_COUNT"),
        .size = number("BENCH_SIZE"),
        .window = number("BENCH_WINDOW"),
        .prefetch = number("BENCH_PREFETCH"),
        .connections = number("BENCH_CONNECTIONS"),
        .seconds = number("BENCH_SECONDS"),
        .limit = number("BENCH_LIMIT"),
    };
}
