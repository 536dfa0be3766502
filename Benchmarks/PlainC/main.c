/* Plain rabbitmq-c, on its ordinary, blocking API: what the others are measured against. */

#include "failure.h"
#include "settings.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    void (*run)(const struct settings *settings);
} works[] = {
    {"publish", work_publish}, {"confirm", work_confirm}, {"consume", work_consume},
    {"latency", work_latency}, {"idle", work_idle},       {"delete", delete_queues},
};

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("rabbitmq-c %s\n", amqp_version());
        return 0;
    }
    struct settings settings = settings_from_environment();
    /* Whatever becomes of the driver, this process does not stay. */
    alarm((unsigned)settings.limit);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        if (strcmp(works[i].name, settings.work) == 0) {
            works[i].run(&settings);
            return 0;
        }
    }
    fail("there is no work called '%s'", settings.work);
}
