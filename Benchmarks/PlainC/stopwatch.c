#include "stopwatch.h"

#include "failure.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

static int64_t wall_start, cpu_start;

int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t cpu_ns(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

void start_measuring(void) {
    puts("ready");
    fflush(stdout);
    char line[16];
    if (!fgets(line, sizeof line, stdin)) fail("the driver is gone");
    wall_start = now_ns();
    cpu_start = cpu_ns();
}

void report(long count, int64_t bytes) {
    int64_t wall = now_ns() - wall_start, cpu = cpu_ns() - cpu_start;
    printf("{\"count\":%ld,\"bytes\":%" PRId64 ",\"wall_ns\":%" PRId64 ",\"cpu_ns\":%" PRId64 "}\n", count, bytes, wall,
           cpu);
    fflush(stdout);
    while (getchar() != EOF) {
    }
}
