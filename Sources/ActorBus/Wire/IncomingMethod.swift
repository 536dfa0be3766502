internal import CRabbitMQ

/// A method that the broker may send to a client (AMQP 0-9-1 section 1.4 and RabbitMQ's extensions), copied out of the
/// frame.
enum IncomingMethod {
    case connectionStart(mechanisms: String, serverProperties: FieldTable)
    case connectionTune(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case connectionOpenOk
    case connectionClose(CloseReason)
    case connectionCloseOk
    case connectionBlocked(reason: String)
    case connectionUnblocked
    case channelOpenOk
    case channelFlow(active: Bool)
    case channelClose(CloseReason)
    case channelCloseOk
    case exchangeDeclareOk
    case queueDeclareOk(queue: String, messages: UInt32, consumers: UInt32)
    case queueBindOk
    case queueUnbindOk
    case basicQosOk
    case basicConsumeOk
    case basicCancel(consumerTag: String, noWait: Bool)
    case basicDeliver(DeliverHeader)
    case basicReturn(replyCode: UInt16, replyText: String, exchange: String, routingKey: String)
    case basicAck(deliveryTag: UInt64, multiple: Bool)
    case basicNack(deliveryTag: UInt64, multiple: Bool)
    case confirmSelectOk

    /// Whether a broker may send the method to a client. The most frequent come first.
    private static func isForClients(_ number: UInt32) -> Bool {
        switch number {
        case AMQP_BASIC_DELIVER_METHOD, AMQP_BASIC_ACK_METHOD, AMQP_BASIC_NACK_METHOD, AMQP_BASIC_RETURN_METHOD,
            AMQP_BASIC_CANCEL_METHOD, AMQP_BASIC_CONSUME_OK_METHOD, AMQP_BASIC_QOS_OK_METHOD,
            AMQP_CONFIRM_SELECT_OK_METHOD, AMQP_QUEUE_DECLARE_OK_METHOD, AMQP_QUEUE_BIND_OK_METHOD,
            AMQP_QUEUE_UNBIND_OK_METHOD, AMQP_EXCHANGE_DECLARE_OK_METHOD, AMQP_CHANNEL_OPEN_OK_METHOD,
            AMQP_CHANNEL_FLOW_METHOD, AMQP_CHANNEL_CLOSE_METHOD, AMQP_CHANNEL_CLOSE_OK_METHOD,
            AMQP_CONNECTION_START_METHOD,
            AMQP_CONNECTION_TUNE_METHOD, AMQP_CONNECTION_OPEN_OK_METHOD, AMQP_CONNECTION_CLOSE_METHOD,
            AMQP_CONNECTION_CLOSE_OK_METHOD, AMQP_CONNECTION_BLOCKED_METHOD, AMQP_CONNECTION_UNBLOCKED_METHOD:
            true
        default: false
        }
    }

    /// What a channel.close or connection.close says.
    struct CloseReason {
        var replyCode: UInt16
        var replyText: String
        var classID: UInt16
        var methodID: UInt16
    }

    /// What a basic.deliver says.
    struct DeliverHeader {
        var deliveryTag: UInt64
        var redelivered: Bool
        var exchange: String
        var routingKey: String
    }

    /// Decodes a method frame's payload; throws ``AMQPError/Code/protocolViolation`` for what is none of the methods
    /// above.
    init(payload: UnsafeRawBufferPointer, pool: WirePool, names: NameCache) throws(AMQPError) {
        guard payload.count >= 4 else {
            throw AMQPError(.protocolViolation, "a method frame of \(payload.count) bytes")
        }
        let number = unsafe UInt32(bigEndian: payload.loadUnaligned(as: UInt32.self))
        let arguments = unsafe UnsafeRawBufferPointer(rebasing: payload[4...])
        // rabbitmq-c would decode methods for brokers too, and the tables in them as deep as they are.
        guard Self.isForClients(number) else {
            throw AMQPError(.protocolViolation, "a method that is not for clients, \(number >> 16).\(number & 0xFFFF)")
        }
        if number == AMQP_CONNECTION_START_METHOD, arguments.count > 2,
            let fault = unsafe EncodedTable.fault(in: UnsafeRawBufferPointer(rebasing: arguments[2...]))
        {
            throw AMQPError(.protocolViolation, "connection.start with a table that is \(fault)")
        }
        guard let decoded = unsafe pool.decodeMethod(number, arguments) else {
            throw AMQPError(
                .protocolViolation, "a malformed method \(number >> 16).\(number & 0xFFFF)")
        }
        switch number {
        case AMQP_CONNECTION_START_METHOD:
            let start = unsafe decoded.load(as: amqp_connection_start_t.self)
            self = unsafe .connectionStart(
                mechanisms: start.mechanisms.text, serverProperties: TableCodec.decode(start.server_properties))
        case AMQP_CONNECTION_TUNE_METHOD:
            let tune = unsafe decoded.load(as: amqp_connection_tune_t.self)
            self = .connectionTune(channelMax: tune.channel_max, frameMax: tune.frame_max, heartbeat: tune.heartbeat)
        case AMQP_CONNECTION_OPEN_OK_METHOD: self = .connectionOpenOk
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_connection_close_t.self)
            self = unsafe .connectionClose(
                CloseReason(
                    replyCode: close.reply_code, replyText: close.reply_text.text, classID: close.class_id,
                    methodID: close.method_id))
        case AMQP_CONNECTION_CLOSE_OK_METHOD: self = .connectionCloseOk
        case AMQP_CONNECTION_BLOCKED_METHOD:
            self = unsafe .connectionBlocked(reason: decoded.load(as: amqp_connection_blocked_t.self).reason.text)
        case AMQP_CONNECTION_UNBLOCKED_METHOD: self = .connectionUnblocked
        case AMQP_CHANNEL_OPEN_OK_METHOD: self = .channelOpenOk
        case AMQP_CHANNEL_FLOW_METHOD:
            self = unsafe .channelFlow(active: decoded.load(as: amqp_channel_flow_t.self).active != 0)
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_channel_close_t.self)
            self = unsafe .channelClose(
                CloseReason(
                    replyCode: close.reply_code, replyText: close.reply_text.text, classID: close.class_id,
                    methodID: close.method_id))
        case AMQP_CHANNEL_CLOSE_OK_METHOD: self = .channelCloseOk
        case AMQP_EXCHANGE_DECLARE_OK_METHOD: self = .exchangeDeclareOk
        case AMQP_QUEUE_DECLARE_OK_METHOD:
            let ok = unsafe decoded.load(as: amqp_queue_declare_ok_t.self)
            self = unsafe .queueDeclareOk(
                queue: ok.queue.text, messages: ok.message_count, consumers: ok.consumer_count)
        case AMQP_QUEUE_BIND_OK_METHOD: self = .queueBindOk
        case AMQP_QUEUE_UNBIND_OK_METHOD: self = .queueUnbindOk
        case AMQP_BASIC_QOS_OK_METHOD: self = .basicQosOk
        case AMQP_BASIC_CONSUME_OK_METHOD: self = .basicConsumeOk
        case AMQP_BASIC_CANCEL_METHOD:
            let cancel = unsafe decoded.load(as: amqp_basic_cancel_t.self)
            self = unsafe .basicCancel(consumerTag: cancel.consumer_tag.text, noWait: cancel.nowait != 0)
        case AMQP_BASIC_DELIVER_METHOD:
            let deliver = unsafe decoded.load(as: amqp_basic_deliver_t.self)
            self = unsafe .basicDeliver(
                DeliverHeader(
                    deliveryTag: deliver.delivery_tag, redelivered: deliver.redelivered != 0,
                    exchange: names.text(deliver.exchange), routingKey: names.text(deliver.routing_key)))
        case AMQP_BASIC_RETURN_METHOD:
            let returned = unsafe decoded.load(as: amqp_basic_return_t.self)
            self = unsafe .basicReturn(
                replyCode: returned.reply_code, replyText: returned.reply_text.text, exchange: returned.exchange.text,
                routingKey: returned.routing_key.text)
        case AMQP_BASIC_ACK_METHOD:
            let ack = unsafe decoded.load(as: amqp_basic_ack_t.self)
            self = .basicAck(deliveryTag: ack.delivery_tag, multiple: ack.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let nack = unsafe decoded.load(as: amqp_basic_nack_t.self)
            self = .basicNack(deliveryTag: nack.delivery_tag, multiple: nack.multiple != 0)
        case AMQP_CONFIRM_SELECT_OK_METHOD: self = .confirmSelectOk
        default:
            throw AMQPError(
                .protocolViolation, "a method that is not for clients, \(number >> 16).\(number & 0xFFFF)")
        }
    }
}

extension IncomingMethod {
    /// Whether this is the reply that the protocol has for `call`.
    func answers(_ call: OutgoingMethod) -> Bool {
        switch (call, self) {
        case (.channelOpen, .channelOpenOk), (.channelClose, .channelCloseOk), (.exchangeDeclare, .exchangeDeclareOk),
            (.queueDeclare, .queueDeclareOk), (.queueBind, .queueBindOk), (.queueUnbind, .queueUnbindOk),
            (.basicQos, .basicQosOk), (.basicConsume, .basicConsumeOk), (.confirmSelect, .confirmSelectOk):
            true
        default: false
        }
    }
}
