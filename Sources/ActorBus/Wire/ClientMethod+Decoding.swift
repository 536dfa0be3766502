internal import CRabbitMQ

extension ClientMethod {
    /// Decodes a method frame's payload after its number; nil when it is malformed, or is none of the methods of
    /// ``ClientMethod``.
    static func decode(_ number: UInt32, _ arguments: UnsafeRawBufferPointer, pool: WirePool) -> ClientMethod? {
        guard unsafe isSafe(number, arguments), let decoded = unsafe pool.decodeMethod(number, arguments) else {
            return nil
        }
        return switch number >> 16 {
        case 10, 20: unsafe connection(number, decoded)
        case 40: unsafe exchange(number, decoded)
        case 50: unsafe queue(number, decoded)
        default: unsafe basic(number, decoded)
        }
    }

    private static func connection(_ number: UInt32, _ decoded: UnsafeMutableRawPointer) -> ClientMethod? {
        switch number {
        case AMQP_CONNECTION_START_OK_METHOD:
            let start = unsafe decoded.load(as: amqp_connection_start_ok_t.self)
            return unsafe .connectionStartOk(
                clientProperties: TableCodec.decode(start.client_properties), mechanism: start.mechanism.text,
                response: start.response.array)
        case AMQP_CONNECTION_TUNE_OK_METHOD:
            let tune = unsafe decoded.load(as: amqp_connection_tune_ok_t.self)
            return .connectionTuneOk(
                channelMax: tune.channel_max, frameMax: tune.frame_max, heartbeat: tune.heartbeat)
        case AMQP_CONNECTION_OPEN_METHOD:
            return unsafe .connectionOpen(
                virtualHost: decoded.load(as: amqp_connection_open_t.self).virtual_host.text)
        case AMQP_CONNECTION_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_connection_close_t.self)
            return unsafe .connectionClose(replyCode: close.reply_code, replyText: close.reply_text.text)
        case AMQP_CONNECTION_CLOSE_OK_METHOD: return .connectionCloseOk
        case AMQP_CHANNEL_OPEN_METHOD: return .channelOpen
        case AMQP_CHANNEL_FLOW_METHOD:
            return unsafe .channelFlow(active: decoded.load(as: amqp_channel_flow_t.self).active != 0)
        case AMQP_CHANNEL_FLOW_OK_METHOD:
            return unsafe .channelFlowOk(active: decoded.load(as: amqp_channel_flow_ok_t.self).active != 0)
        case AMQP_CHANNEL_CLOSE_METHOD:
            let close = unsafe decoded.load(as: amqp_channel_close_t.self)
            return unsafe .channelClose(replyCode: close.reply_code, replyText: close.reply_text.text)
        case AMQP_CHANNEL_CLOSE_OK_METHOD: return .channelCloseOk
        default: return nil
        }
    }

    private static func exchange(_ number: UInt32, _ decoded: UnsafeMutableRawPointer) -> ClientMethod? {
        switch number {
        case AMQP_EXCHANGE_DECLARE_METHOD:
            let declare = unsafe decoded.load(as: amqp_exchange_declare_t.self)
            return unsafe .exchangeDeclare(
                ExchangeDeclare(
                    exchange: declare.exchange.text, type: declare.type.text, passive: declare.passive != 0,
                    durable: declare.durable != 0, autoDelete: declare.auto_delete != 0,
                    internal: declare.internal != 0, noWait: declare.nowait != 0,
                    arguments: TableCodec.decode(declare.arguments)))
        case AMQP_EXCHANGE_DELETE_METHOD:
            let delete = unsafe decoded.load(as: amqp_exchange_delete_t.self)
            return unsafe .exchangeDelete(
                exchange: delete.exchange.text, ifUnused: delete.if_unused != 0, noWait: delete.nowait != 0)
        case AMQP_EXCHANGE_BIND_METHOD:
            let bind = unsafe decoded.load(as: amqp_exchange_bind_t.self)
            return unsafe .exchangeBind(
                Binding(
                    source: bind.source.text, destination: bind.destination.text, routingKey: bind.routing_key.text,
                    noWait: bind.nowait != 0, arguments: TableCodec.decode(bind.arguments)))
        case AMQP_EXCHANGE_UNBIND_METHOD:
            let unbind = unsafe decoded.load(as: amqp_exchange_unbind_t.self)
            return unsafe .exchangeUnbind(
                Binding(
                    source: unbind.source.text, destination: unbind.destination.text,
                    routingKey: unbind.routing_key.text, noWait: unbind.nowait != 0,
                    arguments: TableCodec.decode(unbind.arguments)))
        default: return nil
        }
    }

    private static func queue(_ number: UInt32, _ decoded: UnsafeMutableRawPointer) -> ClientMethod? {
        switch number {
        case AMQP_QUEUE_DECLARE_METHOD:
            let declare = unsafe decoded.load(as: amqp_queue_declare_t.self)
            return unsafe .queueDeclare(
                QueueDeclare(
                    queue: declare.queue.text, passive: declare.passive != 0, durable: declare.durable != 0,
                    exclusive: declare.exclusive != 0, autoDelete: declare.auto_delete != 0,
                    noWait: declare.nowait != 0, arguments: TableCodec.decode(declare.arguments)))
        case AMQP_QUEUE_BIND_METHOD:
            let bind = unsafe decoded.load(as: amqp_queue_bind_t.self)
            return unsafe .queueBind(
                Binding(
                    source: bind.exchange.text, destination: bind.queue.text, routingKey: bind.routing_key.text,
                    noWait: bind.nowait != 0, arguments: TableCodec.decode(bind.arguments)))
        case AMQP_QUEUE_UNBIND_METHOD:
            let unbind = unsafe decoded.load(as: amqp_queue_unbind_t.self)
            return unsafe .queueUnbind(
                Binding(
                    source: unbind.exchange.text, destination: unbind.queue.text, routingKey: unbind.routing_key.text,
                    noWait: false, arguments: TableCodec.decode(unbind.arguments)))
        case AMQP_QUEUE_PURGE_METHOD:
            let purge = unsafe decoded.load(as: amqp_queue_purge_t.self)
            return unsafe .queuePurge(queue: purge.queue.text, noWait: purge.nowait != 0)
        case AMQP_QUEUE_DELETE_METHOD:
            let delete = unsafe decoded.load(as: amqp_queue_delete_t.self)
            return unsafe .queueDelete(
                queue: delete.queue.text, ifUnused: delete.if_unused != 0, ifEmpty: delete.if_empty != 0,
                noWait: delete.nowait != 0)
        default: return nil
        }
    }

    private static func basic(_ number: UInt32, _ decoded: UnsafeMutableRawPointer) -> ClientMethod? {
        switch number {
        case AMQP_BASIC_QOS_METHOD:
            let qos = unsafe decoded.load(as: amqp_basic_qos_t.self)
            return .basicQos(
                prefetchSize: qos.prefetch_size, prefetchCount: qos.prefetch_count, global: qos.global != 0)
        case AMQP_BASIC_CONSUME_METHOD:
            let consume = unsafe decoded.load(as: amqp_basic_consume_t.self)
            return unsafe .basicConsume(
                Consume(
                    queue: consume.queue.text, consumerTag: consume.consumer_tag.text, noAck: consume.no_ack != 0,
                    exclusive: consume.exclusive != 0, noWait: consume.nowait != 0,
                    arguments: TableCodec.decode(consume.arguments)))
        case AMQP_BASIC_CANCEL_METHOD:
            let cancel = unsafe decoded.load(as: amqp_basic_cancel_t.self)
            return unsafe .basicCancel(consumerTag: cancel.consumer_tag.text, noWait: cancel.nowait != 0)
        case AMQP_BASIC_CANCEL_OK_METHOD:
            return unsafe .basicCancelOk(
                consumerTag: decoded.load(as: amqp_basic_cancel_ok_t.self).consumer_tag.text)
        case AMQP_BASIC_PUBLISH_METHOD:
            let publish = unsafe decoded.load(as: amqp_basic_publish_t.self)
            return unsafe .basicPublish(
                exchange: publish.exchange.text, routingKey: publish.routing_key.text,
                mandatory: publish.mandatory != 0, immediate: publish.immediate != 0)
        case AMQP_BASIC_GET_METHOD:
            let get = unsafe decoded.load(as: amqp_basic_get_t.self)
            return unsafe .basicGet(queue: get.queue.text, noAck: get.no_ack != 0)
        case AMQP_BASIC_ACK_METHOD:
            let ack = unsafe decoded.load(as: amqp_basic_ack_t.self)
            return .basicAck(deliveryTag: ack.delivery_tag, multiple: ack.multiple != 0)
        case AMQP_BASIC_NACK_METHOD:
            let nack = unsafe decoded.load(as: amqp_basic_nack_t.self)
            return .basicNack(deliveryTag: nack.delivery_tag, multiple: nack.multiple != 0, requeue: nack.requeue != 0)
        case AMQP_BASIC_REJECT_METHOD:
            let reject = unsafe decoded.load(as: amqp_basic_reject_t.self)
            return .basicReject(deliveryTag: reject.delivery_tag, requeue: reject.requeue != 0)
        case AMQP_BASIC_RECOVER_METHOD:
            return unsafe .basicRecover(requeue: decoded.load(as: amqp_basic_recover_t.self).requeue != 0)
        case AMQP_BASIC_RECOVER_ASYNC_METHOD:
            return unsafe .basicRecoverAsync(requeue: decoded.load(as: amqp_basic_recover_async_t.self).requeue != 0)
        case AMQP_CONFIRM_SELECT_METHOD:
            return unsafe .confirmSelect(noWait: decoded.load(as: amqp_confirm_select_t.self).nowait != 0)
        case AMQP_TX_SELECT_METHOD: return .txSelect
        case AMQP_TX_COMMIT_METHOD: return .txCommit
        case AMQP_TX_ROLLBACK_METHOD: return .txRollback
        default: return nil
        }
    }

    /// Whether the table among the arguments, if there is one, is well formed and not too deep for rabbitmq-c.
    private static func isSafe(_ number: UInt32, _ arguments: UnsafeRawBufferPointer) -> Bool {
        // What stands before the table: whether a ticket, how many short strings, whether an octet of bits.
        let (ticket, names, bits): (Bool, Int, Bool)
        switch number {
        case AMQP_CONNECTION_START_OK_METHOD: (ticket, names, bits) = (false, 0, false)
        case AMQP_QUEUE_DECLARE_METHOD: (ticket, names, bits) = (true, 1, true)
        case AMQP_EXCHANGE_DECLARE_METHOD, AMQP_BASIC_CONSUME_METHOD: (ticket, names, bits) = (true, 2, true)
        case AMQP_QUEUE_BIND_METHOD, AMQP_EXCHANGE_BIND_METHOD, AMQP_EXCHANGE_UNBIND_METHOD:
            (ticket, names, bits) = (true, 3, true)
        case AMQP_QUEUE_UNBIND_METHOD: (ticket, names, bits) = (true, 3, false)
        default: return true
        }
        var position = ticket ? 2 : 0
        for _ in 0..<names {
            guard position < arguments.count else { return false }
            position += 1 + Int(unsafe arguments[position])
        }
        if bits { position += 1 }
        guard position <= arguments.count else { return false }
        return unsafe EncodedTable.fault(in: UnsafeRawBufferPointer(rebasing: arguments[position...])) == nil
    }
}
