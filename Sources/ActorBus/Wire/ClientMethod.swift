/// A method that a client sends (AMQP 0-9-1 section 1.4 and RabbitMQ's extensions), as a server reads it.
package enum ClientMethod: Sendable, Equatable {
    case connectionStartOk(clientProperties: FieldTable, mechanism: String, response: [UInt8])
    case connectionTuneOk(channelMax: UInt16, frameMax: UInt32, heartbeat: UInt16)
    case connectionOpen(virtualHost: String)
    case connectionClose(replyCode: UInt16, replyText: String)
    case connectionCloseOk
    case channelOpen
    case channelFlow(active: Bool)
    case channelFlowOk(active: Bool)
    case channelClose(replyCode: UInt16, replyText: String)
    case channelCloseOk
    case exchangeDeclare(ExchangeDeclare)
    case exchangeDelete(exchange: String, ifUnused: Bool, noWait: Bool)
    case exchangeBind(Binding)
    case exchangeUnbind(Binding)
    case queueDeclare(QueueDeclare)
    case queueBind(Binding)
    case queueUnbind(Binding)
    case queuePurge(queue: String, noWait: Bool)
    case queueDelete(queue: String, ifUnused: Bool, ifEmpty: Bool, noWait: Bool)
    case basicQos(prefetchSize: UInt32, prefetchCount: UInt16, global: Bool)
    case basicConsume(Consume)
    case basicCancel(consumerTag: String, noWait: Bool)
    case basicCancelOk(consumerTag: String)
    case basicPublish(exchange: String, routingKey: String, mandatory: Bool, immediate: Bool)
    case basicGet(queue: String, noAck: Bool)
    case basicAck(deliveryTag: UInt64, multiple: Bool)
    case basicNack(deliveryTag: UInt64, multiple: Bool, requeue: Bool)
    case basicReject(deliveryTag: UInt64, requeue: Bool)
    case basicRecover(requeue: Bool)
    case basicRecoverAsync(requeue: Bool)
    case confirmSelect(noWait: Bool)
    case txSelect, txCommit, txRollback

    package struct ExchangeDeclare: Sendable, Equatable {
        package var exchange: String
        package var type: String
        package var passive: Bool
        package var durable: Bool
        package var autoDelete: Bool
        package var `internal`: Bool
        package var noWait: Bool
        package var arguments: FieldTable
    }

    package struct QueueDeclare: Sendable, Equatable {
        package var queue: String
        package var passive: Bool
        package var durable: Bool
        package var exclusive: Bool
        package var autoDelete: Bool
        package var noWait: Bool
        package var arguments: FieldTable
    }

    /// A binding from an exchange to a queue or to another exchange, to be made or removed.
    package struct Binding: Sendable, Equatable {
        package var source: String
        package var destination: String
        package var routingKey: String
        package var noWait: Bool
        package var arguments: FieldTable
    }

    package struct Consume: Sendable, Equatable {
        package var queue: String
        package var consumerTag: String
        package var noAck: Bool
        package var exclusive: Bool
        package var noWait: Bool
        package var arguments: FieldTable
    }
}
