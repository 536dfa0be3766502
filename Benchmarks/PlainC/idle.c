#include "connection.h"
#include "failure.h"
#include "stopwatch.h"
#include "work.h"

#include <sys/time.h>

/* Waits for deliveries of an empty queue. */
void work_idle(const struct settings *settings) {
    amqp_connection_state_t connection = open_connection(settings);
    start_consumer(connection, settings);
    start_measuring();
    struct timeval patience = {.tv_sec = settings->seconds};
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &patience, 0);
    if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION || reply.library_error != AMQP_STATUS_TIMEOUT)
        fail("something came while there was nothing to come");
    report(0, 0);
    close_connection(connection);
}
