#pragma once

#include "settings.h"

/* Each opens its connections, waits for the driver's word, does its work, and reports. */
void work_publish(const struct settings *settings);
void work_confirm(const struct settings *settings);
void work_consume(const struct settings *settings);
void work_latency(const struct settings *settings);
void work_idle(const struct settings *settings);

/* Not measured: deletes the queues that are listed, separated by commas. */
void delete_queues(const struct settings *settings);
