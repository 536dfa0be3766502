#include "connection.h"
#include "failure.h"
#include "stopwatch.h"
#include "work.h"

/* Without confirms; a round trip on the same channel ends it, so that the broker has taken every message. */
void work_publish(const struct settings *settings) {
    amqp_connection_state_t connection = open_connection(settings);
    amqp_bytes_t body = make_body(settings);
    start_measuring();
    for (long i = 0; i < settings->count; i++) publish(connection, settings, body);
    amqp_queue_declare(connection, CHANNEL, amqp_cstring_bytes(settings->queue), 1, 0, 0, 0, amqp_empty_table);
    require_reply(amqp_get_rpc_reply(connection), "queue.declare, passive");
    report(settings->count, settings->count * (int64_t)settings->size);
    close_connection(connection);
}
