#include "connection.h"
#include "failure.h"
#include "stopwatch.h"
#include "work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* One message in flight: published on one connection, consumed on another. A sample is the time from the call that
 * publishes to the delivery in hand; acknowledgment and confirm come after it and before the next message. */
void work_latency(const struct settings *settings) {
    amqp_connection_state_t publishing = open_connection(settings), consuming = open_connection(settings);
    amqp_bytes_t body = make_body(settings);
    int64_t *samples = calloc((size_t)settings->count, sizeof *samples);
    uint8_t *confirmed = calloc((size_t)settings->count + 1, 1);
    if (!samples || !confirmed) fail("no memory");
    uint64_t lowest = 1;
    int64_t bytes = 0;
    select_confirms(publishing);
    start_consumer(consuming, settings);

    start_measuring();
    for (long i = 0; i < settings->count; i++) {
        int64_t start = now_ns();
        publish(publishing, settings, body);
        amqp_envelope_t envelope;
        require_reply(amqp_consume_message(consuming, &envelope, NULL, 0), "waiting for a delivery");
        samples[i] = now_ns() - start;
        bytes += (int64_t)envelope.message.body.len;
        require_status(amqp_basic_ack(consuming, CHANNEL, envelope.delivery_tag, 0), "basic.ack");
        amqp_destroy_envelope(&envelope);
        amqp_maybe_release_buffers(consuming);
        wait_for_confirm(publishing, confirmed, &lowest, (uint64_t)i + 1);
    }

    report(settings->count, bytes);
    FILE *file = fopen(settings->samples, "w");
    if (!file) fail("cannot write %s", settings->samples);
    for (long i = 0; i < settings->count; i++) fprintf(file, "%" PRId64 "\n", samples[i]);
    if (fclose(file)) fail("cannot write %s", settings->samples);
    close_connection(publishing);
    close_connection(consuming);
}
