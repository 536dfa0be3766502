internal import CRabbitMQ

/// A method that this client sends.
enum OutgoingMethod {
    case connectionStartOk(clientProperties: FieldTable, mechanism: String, response: [UInt8])
    case connectionTuneOk(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case connectionOpen(virtualHost: String)
    case connectionClose(replyCode: UInt16, replyText: String)
    case connectionCloseOk
    case channelOpen
    case channelClose(replyCode: UInt16, replyText: String)
    case channelCloseOk
    case channelFlowOk(active: Bool)
    case exchangeDeclare(Exchange, passive: Bool)
    case queueDeclare(Queue, passive: Bool)
    case queueBind(queue: String, binding: Queue.Binding)
    case queueUnbind(queue: String, binding: Queue.Binding)
    case basicQos(prefetch: UInt16)
    case basicConsume(queue: String, consumerTag: String, arguments: FieldTable = [:])
    /// Without a reply: what comes before the broker has read it is given back.
    case basicCancel(consumerTag: String)
    /// The answer to a broker's own basic.cancel, where that asks for one.
    case basicCancelOk(consumerTag: String)
    case basicPublish(exchange: String, routingKey: String, mandatory: Bool)
    case basicAck(deliveryTag: UInt64, multiple: Bool)
    case basicNack(deliveryTag: UInt64, requeue: Bool)
    case confirmSelect

    /// Writes the method's number and arguments to `target`; returns how many bytes, or nil when they do not fit.
    func encode(into target: UnsafeMutableRawBufferPointer, pool: WirePool) throws(AMQPError) -> Int? {
        try checkNames()
        switch self {
        case .connectionStartOk(let clientProperties, let mechanism, let response):
            return unsafe encode(
                AMQP_CONNECTION_START_OK_METHOD,
                amqp_connection_start_ok_t(
                    client_properties: try TableCodec.encode(clientProperties, in: pool),
                    mechanism: pool.bytes(mechanism), response: response.withUnsafeBytes { unsafe pool.copy($0) },
                    locale: pool.bytes("en_US")), into: target)
        case .connectionTuneOk(let channelMax, let frameMax, let heartbeat):
            return unsafe encode(
                AMQP_CONNECTION_TUNE_OK_METHOD,
                amqp_connection_tune_ok_t(channel_max: channelMax, frame_max: frameMax, heartbeat: heartbeat),
                into: target)
        case .connectionOpen(let virtualHost):
            return unsafe encode(
                AMQP_CONNECTION_OPEN_METHOD,
                amqp_connection_open_t(virtual_host: pool.bytes(virtualHost), capabilities: pool.bytes(""), insist: 0),
                into: target)
        case .connectionClose(let replyCode, let replyText):
            return unsafe encode(
                AMQP_CONNECTION_CLOSE_METHOD,
                amqp_connection_close_t(
                    reply_code: replyCode, reply_text: pool.bytes(replyText), class_id: 0, method_id: 0),
                into: target)
        case .connectionCloseOk:
            return unsafe encode(AMQP_CONNECTION_CLOSE_OK_METHOD, amqp_connection_close_ok_t(), into: target)
        case .channelOpen:
            return unsafe encode(
                AMQP_CHANNEL_OPEN_METHOD, amqp_channel_open_t(out_of_band: pool.bytes("")), into: target)
        case .channelClose(let replyCode, let replyText):
            return unsafe encode(
                AMQP_CHANNEL_CLOSE_METHOD,
                amqp_channel_close_t(
                    reply_code: replyCode, reply_text: pool.bytes(replyText), class_id: 0, method_id: 0),
                into: target)
        case .channelCloseOk:
            return unsafe encode(AMQP_CHANNEL_CLOSE_OK_METHOD, amqp_channel_close_ok_t(), into: target)
        case .channelFlowOk(let active):
            return unsafe encode(
                AMQP_CHANNEL_FLOW_OK_METHOD, amqp_channel_flow_ok_t(active: active.wire), into: target)
        case .exchangeDeclare(let exchange, let passive):
            return unsafe encode(
                AMQP_EXCHANGE_DECLARE_METHOD,
                amqp_exchange_declare_t(
                    ticket: 0, exchange: pool.bytes(exchange.name), type: pool.bytes(exchange.kind.name),
                    passive: passive.wire,
                    durable: exchange.durable.wire, auto_delete: exchange.autoDelete.wire,
                    internal: exchange.internal.wire, nowait: 0,
                    arguments: try TableCodec.encode(exchange.arguments, in: pool)), into: target)
        case .queueDeclare(let queue, let passive):
            return unsafe encode(
                AMQP_QUEUE_DECLARE_METHOD,
                amqp_queue_declare_t(
                    ticket: 0, queue: pool.bytes(queue.name), passive: passive.wire, durable: queue.durable.wire,
                    exclusive: queue.exclusive.wire, auto_delete: queue.autoDelete.wire, nowait: 0,
                    arguments: try TableCodec.encode(queue.declaredArguments, in: pool)), into: target)
        case .queueBind(let queue, let binding):
            return unsafe encode(
                AMQP_QUEUE_BIND_METHOD,
                amqp_queue_bind_t(
                    ticket: 0, queue: pool.bytes(queue), exchange: pool.bytes(binding.exchange),
                    routing_key: pool.bytes(binding.routingKey), nowait: 0,
                    arguments: try TableCodec.encode(binding.arguments, in: pool)), into: target)
        case .queueUnbind(let queue, let binding):
            return unsafe encode(
                AMQP_QUEUE_UNBIND_METHOD,
                amqp_queue_unbind_t(
                    ticket: 0, queue: pool.bytes(queue), exchange: pool.bytes(binding.exchange),
                    routing_key: pool.bytes(binding.routingKey),
                    arguments: try TableCodec.encode(binding.arguments, in: pool)), into: target)
        case .basicQos(let prefetch):
            return unsafe encode(
                AMQP_BASIC_QOS_METHOD, amqp_basic_qos_t(prefetch_size: 0, prefetch_count: prefetch, global: 0),
                into: target)
        case .basicConsume(let queue, let consumerTag, let arguments):
            return unsafe encode(
                AMQP_BASIC_CONSUME_METHOD,
                amqp_basic_consume_t(
                    ticket: 0, queue: pool.bytes(queue), consumer_tag: pool.bytes(consumerTag), no_local: 0, no_ack: 0,
                    exclusive: 0, nowait: 0, arguments: try TableCodec.encode(arguments, in: pool)), into: target)
        case .basicCancel(let consumerTag):
            return unsafe encode(
                AMQP_BASIC_CANCEL_METHOD, amqp_basic_cancel_t(consumer_tag: pool.bytes(consumerTag), nowait: 1),
                into: target)
        case .basicCancelOk(let consumerTag):
            return unsafe encode(
                AMQP_BASIC_CANCEL_OK_METHOD, amqp_basic_cancel_ok_t(consumer_tag: pool.bytes(consumerTag)), into: target
            )
        case .basicPublish(let exchange, let routingKey, let mandatory):
            return unsafe encode(
                AMQP_BASIC_PUBLISH_METHOD,
                amqp_basic_publish_t(
                    ticket: 0, exchange: pool.bytes(exchange), routing_key: pool.bytes(routingKey),
                    mandatory: mandatory.wire, immediate: 0), into: target)
        case .basicAck(let deliveryTag, let multiple):
            return unsafe encode(
                AMQP_BASIC_ACK_METHOD, amqp_basic_ack_t(delivery_tag: deliveryTag, multiple: multiple.wire),
                into: target)
        case .basicNack(let deliveryTag, let requeue):
            return unsafe encode(
                AMQP_BASIC_NACK_METHOD,
                amqp_basic_nack_t(delivery_tag: deliveryTag, multiple: 0, requeue: requeue.wire), into: target)
        case .confirmSelect:
            return unsafe encode(AMQP_CONFIRM_SELECT_METHOD, amqp_confirm_select_t(nowait: 0), into: target)
        }
    }

    /// rabbitmq-c says of a long name only that it does not fit.
    private func checkNames() throws(AMQPError) {
        switch self {
        case .connectionOpen(let virtualHost): try ShortString.check(virtualHost, "virtual host")
        case .exchangeDeclare(let exchange, _):
            try ShortString.check(exchange.name, "exchange name")
            try ShortString.check(exchange.kind.name, "exchange type")
        case .queueDeclare(let queue, _): try ShortString.check(queue.name, "queue name")
        case .queueBind(let queue, let binding), .queueUnbind(let queue, let binding):
            try ShortString.check(queue, "queue name")
            try ShortString.check(binding.exchange, "exchange name")
            try ShortString.check(binding.routingKey, "routing key")
        case .basicConsume(let queue, _, _): try ShortString.check(queue, "queue name")
        case .basicPublish(let exchange, let routingKey, _):
            try ShortString.check(exchange, "exchange name")
            try ShortString.check(routingKey, "routing key")
        default: break
        }
    }

    private func encode<Arguments>(
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

extension Bool {
    fileprivate var wire: amqp_boolean_t { self ? 1 : 0 }
}
