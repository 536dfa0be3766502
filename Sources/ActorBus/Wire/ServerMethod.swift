internal import CRabbitMQ

/// A method that a server sends (AMQP 0-9-1 section 1.4 and RabbitMQ's extensions).
package enum ServerMethod: Sendable, Equatable {
    case connectionStart(mechanisms: String, serverProperties: FieldTable)
    case connectionTune(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case connectionOpenOk
    case connectionClose(replyCode: UInt16, replyText: String, classID: UInt16, methodID: UInt16)
    case connectionCloseOk
    case connectionBlocked(reason: String)
    case connectionUnblocked
    case channelOpenOk
    case channelFlowOk(active: Bool)
    case channelClose(replyCode: UInt16, replyText: String, classID: UInt16, methodID: UInt16)
    case channelCloseOk
    case exchangeDeclareOk
    case exchangeDeleteOk
    case exchangeBindOk
    case exchangeUnbindOk
    case queueDeclareOk(queue: String, messages: UInt32, consumers: UInt32)
    case queueBindOk
    case queueUnbindOk
    case queuePurgeOk(messages: UInt32)
    case queueDeleteOk(messages: UInt32)
    case basicQosOk
    case basicConsumeOk(consumerTag: String)
    case basicCancelOk(consumerTag: String)
    case basicCancel(consumerTag: String)
    case basicReturn(replyCode: UInt16, replyText: String, exchange: String, routingKey: String)
    case basicDeliver(
        consumerTag: String, deliveryTag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
    case basicGetOk(deliveryTag: UInt64, redelivered: Bool, exchange: String, routingKey: String, messages: UInt32)
    case basicGetEmpty
    case basicAck(deliveryTag: UInt64, multiple: Bool)
    case basicNack(deliveryTag: UInt64, multiple: Bool)
    case basicRecoverOk
    case confirmSelectOk

    /// Writes the method's number and arguments to `target`; returns how many bytes, or nil when they do not fit.
    func encode(into target: UnsafeMutableRawBufferPointer, pool: WirePool) throws(AMQPError) -> Int? {
        func write<Arguments>(_ number: UInt32, _ arguments: Arguments) -> Int? {
            unsafe Self.write(number, arguments, into: target)
        }
        switch self {
        case .connectionStart(let mechanisms, let serverProperties):
            return unsafe write(
                AMQP_CONNECTION_START_METHOD,
                amqp_connection_start_t(
                    version_major: 0, version_minor: 9,
                    server_properties: try TableCodec.encode(serverProperties, in: pool),
                    mechanisms: pool.bytes(mechanisms), locales: pool.bytes("en_US")))
        case .connectionTune(let channelMax, let frameMax, let heartbeat):
            return write(
                AMQP_CONNECTION_TUNE_METHOD,
                amqp_connection_tune_t(channel_max: channelMax, frame_max: frameMax, heartbeat: heartbeat))
        case .connectionOpenOk:
            return unsafe write(
                AMQP_CONNECTION_OPEN_OK_METHOD, amqp_connection_open_ok_t(known_hosts: pool.bytes("")))
        case .connectionClose(let replyCode, let replyText, let classID, let methodID):
            return unsafe write(
                AMQP_CONNECTION_CLOSE_METHOD,
                amqp_connection_close_t(
                    reply_code: replyCode, reply_text: pool.bytes(replyText), class_id: classID, method_id: methodID))
        case .connectionCloseOk: return write(AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t())
        case .connectionBlocked(let reason):
            return unsafe write(
                AMQP_CONNECTION_BLOCKED_METHOD, amqp_connection_blocked_t(reason: pool.bytes(reason)))
        case .connectionUnblocked: return write(AMQP_CONNECTION_UNBLOCKED_METHOD, amqp_connection_unblocked_t())
        case .channelOpenOk:
            return unsafe write(AMQP_CHANNEL_OPEN_OK_METHOD, amqp_channel_open_ok_t(channel_id: pool.bytes("")))
        case .channelFlowOk(let active):
            return write(AMQP_CHANNEL_FLOW_OK_METHOD, amqp_channel_flow_ok_t(active: active ? 1 : 0))
        case .channelClose(let replyCode, let replyText, let classID, let methodID):
            return unsafe write(
                AMQP_CHANNEL_CLOSE_METHOD,
                amqp_channel_close_t(
                    reply_code: replyCode, reply_text: pool.bytes(replyText), class_id: classID, method_id: methodID))
        case .channelCloseOk: return write(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t())
        case .exchangeDeclareOk: return write(AMQP_EXCHANGE_DECLARE_OK_METHOD, amqp_exchange_declare_ok_t())
        case .exchangeDeleteOk: return write(AMQP_EXCHANGE_DELETE_OK_METHOD, amqp_exchange_delete_ok_t())
        case .exchangeBindOk: return write(AMQP_EXCHANGE_BIND_OK_METHOD, amqp_exchange_bind_ok_t())
        case .exchangeUnbindOk: return write(AMQP_EXCHANGE_UNBIND_OK_METHOD, amqp_exchange_unbind_ok_t())
        case .queueDeclareOk(let queue, let messages, let consumers):
            return unsafe write(
                AMQP_QUEUE_DECLARE_OK_METHOD,
                amqp_queue_declare_ok_t(queue: pool.bytes(queue), message_count: messages, consumer_count: consumers))
        case .queueBindOk: return write(AMQP_QUEUE_BIND_OK_METHOD, amqp_queue_bind_ok_t())
        case .queueUnbindOk: return write(AMQP_QUEUE_UNBIND_OK_METHOD, amqp_queue_unbind_ok_t())
        case .queuePurgeOk(let messages):
            return write(AMQP_QUEUE_PURGE_OK_METHOD, amqp_queue_purge_ok_t(message_count: messages))
        case .queueDeleteOk(let messages):
            return write(AMQP_QUEUE_DELETE_OK_METHOD, amqp_queue_delete_ok_t(message_count: messages))
        case .basicQosOk: return write(AMQP_BASIC_QOS_OK_METHOD, amqp_basic_qos_ok_t())
        case .basicConsumeOk(let consumerTag):
            return unsafe write(
                AMQP_BASIC_CONSUME_OK_METHOD, amqp_basic_consume_ok_t(consumer_tag: pool.bytes(consumerTag)))
        case .basicCancelOk(let consumerTag):
            return unsafe write(
                AMQP_BASIC_CANCEL_OK_METHOD, amqp_basic_cancel_ok_t(consumer_tag: pool.bytes(consumerTag)))
        case .basicCancel(let consumerTag):
            return unsafe write(
                AMQP_BASIC_CANCEL_METHOD, amqp_basic_cancel_t(consumer_tag: pool.bytes(consumerTag), nowait: 1))
        case .basicReturn(let replyCode, let replyText, let exchange, let routingKey):
            return unsafe write(
                AMQP_BASIC_RETURN_METHOD,
                amqp_basic_return_t(
                    reply_code: replyCode, reply_text: pool.bytes(replyText), exchange: pool.bytes(exchange),
                    routing_key: pool.bytes(routingKey)))
        case .basicDeliver(let consumerTag, let deliveryTag, let redelivered, let exchange, let routingKey):
            return unsafe write(
                AMQP_BASIC_DELIVER_METHOD,
                amqp_basic_deliver_t(
                    consumer_tag: pool.bytes(consumerTag), delivery_tag: deliveryTag,
                    redelivered: redelivered ? 1 : 0,
                    exchange: pool.bytes(exchange), routing_key: pool.bytes(routingKey)))
        case .basicGetOk(let deliveryTag, let redelivered, let exchange, let routingKey, let messages):
            return unsafe write(
                AMQP_BASIC_GET_OK_METHOD,
                amqp_basic_get_ok_t(
                    delivery_tag: deliveryTag, redelivered: redelivered ? 1 : 0, exchange: pool.bytes(exchange),
                    routing_key: pool.bytes(routingKey), message_count: messages))
        case .basicGetEmpty:
            return unsafe write(AMQP_BASIC_GET_EMPTY_METHOD, amqp_basic_get_empty_t(cluster_id: pool.bytes("")))
        case .basicAck(let deliveryTag, let multiple):
            return write(AMQP_BASIC_ACK_METHOD, amqp_basic_ack_t(delivery_tag: deliveryTag, multiple: multiple ? 1 : 0))
        case .basicNack(let deliveryTag, let multiple):
            return write(
                AMQP_BASIC_NACK_METHOD,
                amqp_basic_nack_t(delivery_tag: deliveryTag, multiple: multiple ? 1 : 0, requeue: 0))
        case .basicRecoverOk: return write(AMQP_BASIC_RECOVER_OK_METHOD, amqp_basic_recover_ok_t())
        case .confirmSelectOk: return write(AMQP_CONFIRM_SELECT_OK_METHOD, amqp_confirm_select_ok_t())
        }
    }

    private static func write<Arguments>(
        _ number: UInt32, _ arguments: Arguments, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard target.count > 4, let base = target.baseAddress else { return nil }
        unsafe target.storeBytes(of: number.bigEndian, as: UInt32.self)
        let space = unsafe amqp_bytes_t(len: target.count - 4, bytes: base + 4)
        var arguments = arguments
        let length = unsafe withUnsafeMutablePointer(to: &arguments) { unsafe amqp_encode_method(number, $0, space) }
        return length < 0 ? nil : Int(length) + 4
    }
}
