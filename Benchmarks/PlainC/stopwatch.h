#pragma once

#include <stdint.h>

/* The wall clock, in nanoseconds that never go back. */
int64_t now_ns(void);

/* Tells the driver that the set-up is done, waits for its word, and starts to measure. */
void start_measuring(void);

/* Stops measuring, reports, and waits until the driver has read what it wants of this process. */
void report(long count, int64_t bytes);
