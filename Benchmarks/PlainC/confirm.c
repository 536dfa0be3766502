#include "connection.h"
#include "failure.h"
#include "stopwatch.h"
#include "work.h"

#include <pthread.h>
#include <stdlib.h>

/* One connection's part of the work; with several connections each has a thread, since the library's calls block. */
struct part {
    const struct settings *settings;
    amqp_connection_state_t connection;
    amqp_bytes_t body;
    uint8_t *confirmed;
    long count;
    long window;
    pthread_t thread;
};

static void *publish_part(void *context) {
    struct part *part = context;
    uint64_t lowest = 1;
    long published = 0, confirmed = 0;
    while (confirmed < part->count) {
        while (published < part->count && published - confirmed < part->window) {
            publish(part->connection, part->settings, part->body);
            published++;
        }
        confirmed += wait_for_confirm(part->connection, part->confirmed, &lowest, (uint64_t)published);
    }
    return NULL;
}

void work_confirm(const struct settings *settings) {
    long connections = settings->connections;
    struct part *parts = calloc((size_t)connections, sizeof *parts);
    if (!parts) fail("no memory");
    amqp_bytes_t body = make_body(settings);
    for (long i = 0; i < connections; i++) {
        long count = settings->count / connections + (i < settings->count % connections);
        long window = settings->window / connections;
        parts[i] = (struct part){
            .settings = settings,
            .connection = open_connection(settings),
            .body = body,
            .confirmed = calloc((size_t)count + 1, 1),
            .count = count,
            .window = window > 0 ? window : 1,
        };
        if (!parts[i].confirmed) fail("no memory");
        select_confirms(parts[i].connection);
    }

    start_measuring();
    if (connections == 1) {
        publish_part(&parts[0]);
    } else {
        for (long i = 0; i < connections; i++)
            if (pthread_create(&parts[i].thread, NULL, publish_part, &parts[i])) fail("cannot start a thread");
        for (long i = 0; i < connections; i++) pthread_join(parts[i].thread, NULL);
    }
    report(settings->count, settings->count * (int64_t)settings->size);
    for (long i = 0; i < connections; i++) close_connection(parts[i].connection);
}
