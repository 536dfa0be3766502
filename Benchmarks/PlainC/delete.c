#include "connection.h"
#include "failure.h"
#include "work.h"

#include <string.h>

void delete_queues(const struct settings *settings) {
    amqp_connection_state_t connection = open_connection(settings);
    const char *name = settings->queue;
    while (*name) {
        size_t length = strcspn(name, ",");
        amqp_queue_delete(connection, CHANNEL, (amqp_bytes_t){.len = length, .bytes = (void *)name}, 0, 0);
        require_reply(amqp_get_rpc_reply(connection), "queue.delete");
        name += length + (name[length] == ',');
    }
    close_connection(connection);
}
