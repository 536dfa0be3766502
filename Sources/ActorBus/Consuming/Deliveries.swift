/// The deliveries of a queue, as an asynchronous sequence.
///
/// The consumer is registered with the first `next()`; leaving the loop cancels it at the broker, and what was
/// prefetched and not handed out goes back to the queue at once. What was handed out can still be settled. Never more
/// deliveries are held than the prefetch allows, counting those that are not yet settled (RabbitMQ, "Consumer
/// Prefetch").
///
/// The sequence goes on over recoveries; deliveries that were handed out before one come again, `redelivered`. It ends,
/// without an error, when its task is cancelled. It throws ``AMQPError`` when it can never go on: the connection was
/// closed, the user may not read the queue, or there is no such queue and the connection's topology does not declare it.
/// At the beginning a refusal is final; later it must last for `refusalPatience`.
public struct Deliveries: AsyncSequence, Sendable {
    public typealias Element = Delivery

    let connection: AMQPConnection
    let queue: String
    let prefetch: UInt16

    public func makeAsyncIterator() -> Iterator {
        Iterator(reader: Reader(connection: connection, queue: queue, prefetch: prefetch))
    }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader

        public mutating func next() async throws -> Delivery? { try await reader.next() }
    }

    /// Lives as long as the iterator and its copies; its end cancels the consumer.
    fileprivate final class Reader {
        private let connection: AMQPConnection
        private let queue: String
        private let prefetch: UInt16
        private var consumer: ConsumerHandle?

        init(connection: AMQPConnection, queue: String, prefetch: UInt16) {
            self.connection = connection
            self.queue = queue
            self.prefetch = prefetch
        }

        deinit {
            guard let consumer else { return }
            connection.inbox.put(.release(consumer: consumer.id, unread: consumer.mailbox.close()))
        }

        func next() async throws -> Delivery? {
            if Task.isCancelled { return nil }
            if consumer == nil {
                do {
                    consumer = try await connection.startConsumer(of: queue, prefetch: prefetch)
                } catch is CancellationError {
                    return nil
                }
            }
            return try await consumer?.mailbox.next()
        }
    }
}

extension AMQPConnection {
    /// The deliveries of a queue, each to be settled by who receives it.
    ///
    /// - Parameter prefetch: how many deliveries may be unsettled at once, 1 to 65,535.
    public nonisolated func deliveries(from queue: String, prefetch: UInt16 = 1) -> Deliveries {
        Deliveries(connection: self, queue: queue, prefetch: prefetch)
    }
}
