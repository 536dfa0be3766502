// What Swift takes from the C headers for the machine it builds for, against what a C compiler for that machine makes of them: the sizes
// and offsets of everything that the client hands to rabbitmq-c or reads from it, on 32 bits and on 64. Only compiled, never run.

#define _GNU_SOURCE

#include "../../Sources/CRabbitMQ/shim.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NARROW (sizeof(void *) == 4)
#define SIZE(type, narrow, wide) \
    _Static_assert(sizeof(type) == (NARROW ? narrow : wide), "the size of " #type)
#define OFFSET(type, field, narrow, wide) \
    _Static_assert(offsetof(type, field) == (NARROW ? narrow : wide), "the offset of " #field " in " #type)

// The client counts on these whatever the machine.
_Static_assert(sizeof(amqp_boolean_t) == 4, "a boolean");
_Static_assert(sizeof(amqp_flags_t) == 4, "flags");
_Static_assert(sizeof(amqp_method_number_t) == 4, "a method's number");
_Static_assert(sizeof(amqp_channel_t) == 2, "a channel's number");
_Static_assert(sizeof(((amqp_basic_ack_t *)0)->delivery_tag) == 8, "a delivery tag");
_Static_assert(sizeof(((amqp_basic_properties_t *)0)->timestamp) == 8, "a time stamp");
_Static_assert(sizeof(((amqp_field_value_t *)0)->value.i64) == 8, "a header's number");
_Static_assert(sizeof(((struct timespec *)0)->tv_sec) >= 4, "a clock's seconds, of 4 bytes on Debian 12 for armhf");

// Values.
SIZE(amqp_bytes_t, 8, 16);
OFFSET(amqp_bytes_t, len, 0, 0);
OFFSET(amqp_bytes_t, bytes, 4, 8);
SIZE(amqp_decimal_t, 8, 8);
OFFSET(amqp_decimal_t, value, 4, 4);
SIZE(amqp_table_t, 8, 16);
OFFSET(amqp_table_t, num_entries, 0, 0);
OFFSET(amqp_table_t, entries, 4, 8);
SIZE(amqp_array_t, 8, 16);
OFFSET(amqp_array_t, num_entries, 0, 0);
OFFSET(amqp_array_t, entries, 4, 8);
// The largest member has 8 bytes on 32 bits (a number), and 16 on 64 (bytes, a table).
SIZE(amqp_field_value_t, 16, 24);
OFFSET(amqp_field_value_t, kind, 0, 0);
OFFSET(amqp_field_value_t, value, 8, 8);
SIZE(amqp_table_entry_t, 24, 40);
OFFSET(amqp_table_entry_t, key, 0, 0);
OFFSET(amqp_table_entry_t, value, 8, 16);

// The pool, which the client allocates and rabbitmq-c fills.
SIZE(amqp_pool_blocklist_t, 8, 16);
SIZE(amqp_pool_t, 32, 64);

// Properties.
SIZE(amqp_basic_properties_t, 104, 200);
OFFSET(amqp_basic_properties_t, _flags, 0, 0);
OFFSET(amqp_basic_properties_t, content_type, 4, 8);
OFFSET(amqp_basic_properties_t, content_encoding, 12, 24);
OFFSET(amqp_basic_properties_t, headers, 20, 40);
OFFSET(amqp_basic_properties_t, delivery_mode, 28, 56);
OFFSET(amqp_basic_properties_t, priority, 29, 57);
OFFSET(amqp_basic_properties_t, correlation_id, 32, 64);
OFFSET(amqp_basic_properties_t, reply_to, 40, 80);
OFFSET(amqp_basic_properties_t, expiration, 48, 96);
OFFSET(amqp_basic_properties_t, message_id, 56, 112);
OFFSET(amqp_basic_properties_t, timestamp, 64, 128);
OFFSET(amqp_basic_properties_t, type, 72, 136);
OFFSET(amqp_basic_properties_t, user_id, 80, 152);
OFFSET(amqp_basic_properties_t, app_id, 88, 168);

// Methods that are read: every field that is looked at.
SIZE(amqp_connection_start_t, 28, 56);
OFFSET(amqp_connection_start_t, server_properties, 4, 8);
OFFSET(amqp_connection_start_t, mechanisms, 12, 24);
SIZE(amqp_connection_tune_t, 12, 12);
OFFSET(amqp_connection_tune_t, channel_max, 0, 0);
OFFSET(amqp_connection_tune_t, frame_max, 4, 4);
OFFSET(amqp_connection_tune_t, heartbeat, 8, 8);
SIZE(amqp_connection_close_t, 16, 32);
OFFSET(amqp_connection_close_t, reply_code, 0, 0);
OFFSET(amqp_connection_close_t, reply_text, 4, 8);
OFFSET(amqp_connection_close_t, class_id, 12, 24);
OFFSET(amqp_connection_close_t, method_id, 14, 26);
SIZE(amqp_connection_blocked_t, 8, 16);
OFFSET(amqp_connection_blocked_t, reason, 0, 0);
SIZE(amqp_channel_flow_t, 4, 4);
OFFSET(amqp_channel_flow_t, active, 0, 0);
SIZE(amqp_channel_close_t, 16, 32);
OFFSET(amqp_channel_close_t, reply_code, 0, 0);
OFFSET(amqp_channel_close_t, reply_text, 4, 8);
OFFSET(amqp_channel_close_t, class_id, 12, 24);
OFFSET(amqp_channel_close_t, method_id, 14, 26);
SIZE(amqp_queue_declare_ok_t, 16, 24);
OFFSET(amqp_queue_declare_ok_t, queue, 0, 0);
OFFSET(amqp_queue_declare_ok_t, message_count, 8, 16);
OFFSET(amqp_queue_declare_ok_t, consumer_count, 12, 20);
SIZE(amqp_basic_cancel_t, 12, 24);
OFFSET(amqp_basic_cancel_t, consumer_tag, 0, 0);
OFFSET(amqp_basic_cancel_t, nowait, 8, 16);
SIZE(amqp_basic_deliver_t, 40, 64);
OFFSET(amqp_basic_deliver_t, consumer_tag, 0, 0);
OFFSET(amqp_basic_deliver_t, delivery_tag, 8, 16);
OFFSET(amqp_basic_deliver_t, redelivered, 16, 24);
OFFSET(amqp_basic_deliver_t, exchange, 20, 32);
OFFSET(amqp_basic_deliver_t, routing_key, 28, 48);
SIZE(amqp_basic_return_t, 28, 56);
OFFSET(amqp_basic_return_t, reply_code, 0, 0);
OFFSET(amqp_basic_return_t, reply_text, 4, 8);
OFFSET(amqp_basic_return_t, exchange, 12, 24);
OFFSET(amqp_basic_return_t, routing_key, 20, 40);
SIZE(amqp_basic_ack_t, 16, 16);
OFFSET(amqp_basic_ack_t, delivery_tag, 0, 0);
OFFSET(amqp_basic_ack_t, multiple, 8, 8);
SIZE(amqp_basic_nack_t, 16, 16);
OFFSET(amqp_basic_nack_t, delivery_tag, 0, 0);
OFFSET(amqp_basic_nack_t, multiple, 8, 8);
OFFSET(amqp_basic_nack_t, requeue, 12, 12);

// Methods that are written: Swift fills all their fields by name.
SIZE(amqp_basic_consume_t, 44, 72);
SIZE(amqp_basic_publish_t, 28, 48);
SIZE(amqp_basic_qos_t, 12, 12);
SIZE(amqp_channel_close_ok_t, 1, 1);
SIZE(amqp_channel_flow_ok_t, 4, 4);
SIZE(amqp_channel_open_t, 8, 16);
SIZE(amqp_confirm_select_t, 4, 4);
SIZE(amqp_connection_close_ok_t, 1, 1);
SIZE(amqp_connection_open_t, 20, 40);
SIZE(amqp_connection_start_ok_t, 32, 64);
SIZE(amqp_connection_tune_ok_t, 12, 12);
SIZE(amqp_exchange_declare_t, 48, 80);
SIZE(amqp_queue_bind_t, 40, 80);
SIZE(amqp_queue_declare_t, 40, 64);
