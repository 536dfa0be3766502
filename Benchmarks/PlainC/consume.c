#include "connection.h"
#include "stopwatch.h"
#include "work.h"

void work_consume(const struct settings *settings) {
    amqp_connection_state_t connection = open_connection(settings);
    start_measuring();
    start_consumer(connection, settings);
    int64_t bytes = 0;
    for (long i = 0; i < settings->count; i++) bytes += take_delivery(connection);
    report(settings->count, bytes);
    close_connection(connection);
}
