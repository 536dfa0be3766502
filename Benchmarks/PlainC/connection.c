#include "connection.h"

#include "failure.h"

#include <stdlib.h>
#include <string.h>

amqp_connection_state_t open_connection(const struct settings *settings) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(connection);
    if (!socket) fail("no memory for a socket");
    require_status(amqp_socket_open(socket, settings->host, settings->port), "connecting");
    require_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 30,
                             AMQP_SASL_METHOD_PLAIN, settings->user, settings->password),
                  "login");
    amqp_channel_open(connection, CHANNEL);
    require_reply(amqp_get_rpc_reply(connection), "channel.open");
    return connection;
}

void close_connection(amqp_connection_state_t connection) {
    require_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "connection.close");
    require_status(amqp_destroy_connection(connection), "closing");
}

void select_confirms(amqp_connection_state_t connection) {
    amqp_confirm_select(connection, CHANNEL);
    require_reply(amqp_get_rpc_reply(connection), "confirm.select");
}

void start_consumer(amqp_connection_state_t connection, const struct settings *settings) {
    amqp_basic_qos(connection, CHANNEL, 0, (uint16_t)settings->prefetch, 0);
    require_reply(amqp_get_rpc_reply(connection), "basic.qos");
    amqp_basic_consume(connection, CHANNEL, amqp_cstring_bytes(settings->queue), amqp_empty_bytes, 0, 0, 0,
                       amqp_empty_table);
    require_reply(amqp_get_rpc_reply(connection), "basic.consume");
}

void publish(amqp_connection_state_t connection, const struct settings *settings, amqp_bytes_t body) {
    amqp_basic_properties_t properties = {
        ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG,
        .content_type = amqp_cstring_bytes("application/octet-stream"),
        .delivery_mode = AMQP_DELIVERY_PERSISTENT,
    };
    require_status(amqp_basic_publish(connection, CHANNEL, amqp_cstring_bytes(settings->exchange),
                                      amqp_cstring_bytes(settings->routing_key), 0, 0, &properties, body),
                   "basic.publish");
}

long wait_for_confirm(amqp_connection_state_t connection, uint8_t *confirmed, uint64_t *lowest, uint64_t last) {
    amqp_frame_t frame;
    require_status(amqp_simple_wait_frame(connection, &frame), "waiting for a confirm");
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.payload.method.id != AMQP_BASIC_ACK_METHOD)
        fail("the broker sent method %#x instead of a confirm", (unsigned)frame.payload.method.id);
    const amqp_basic_ack_t *ack = frame.payload.method.decoded;
    if (ack->delivery_tag < 1 || ack->delivery_tag > last) fail("the broker confirmed what was not published");

    long added = 0;
    uint64_t first = ack->multiple ? *lowest : ack->delivery_tag;
    for (uint64_t tag = first; tag <= ack->delivery_tag; tag++) {
        added += !confirmed[tag];
        confirmed[tag] = 1;
    }
    while (*lowest <= last && confirmed[*lowest]) ++*lowest;
    amqp_maybe_release_buffers(connection);
    return added;
}

int64_t take_delivery(amqp_connection_state_t connection) {
    amqp_envelope_t envelope;
    require_reply(amqp_consume_message(connection, &envelope, NULL, 0), "waiting for a delivery");
    int64_t size = (int64_t)envelope.message.body.len;
    require_status(amqp_basic_ack(connection, CHANNEL, envelope.delivery_tag, 0), "basic.ack");
    amqp_destroy_envelope(&envelope);
    amqp_maybe_release_buffers(connection);
    return size;
}

amqp_bytes_t make_body(const struct settings *settings) {
    amqp_bytes_t body = amqp_bytes_malloc((size_t)settings->size);
    if (!body.bytes) fail("no memory for a body of %ld bytes", settings->size);
    memset(body.bytes, 'x', body.len);
    return body;
}
