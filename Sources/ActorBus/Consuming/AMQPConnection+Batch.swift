/// What of a batch was not settled: still the broker's and held by this connection, so that nobody is handed it, until
/// it is put back.
package struct HeldDeliveries: Sendable {
    fileprivate let consumer: UInt32
}

extension AMQPConnection {
    /// Takes up to `count` messages of a queue and runs `body` with them.
    ///
    /// The consumer is cancelled before any of them is settled. As `count` is its prefetch, the broker hands out these
    /// and no more, and nothing has to go back unread, which quorum queues count as a delivery.
    ///
    /// - Parameters:
    ///   - patience: how long to wait for a message while the queue has none ready; then there are fewer than `count`.
    ///   - body: settles the deliveries. Not cancelled with the caller's task.
    /// - Returns: what `body` left unsettled, to be put back with ``putBack(_:)``; nil when it settled all.
    /// - Throws: what `body` throws, its unsettled deliveries being put back. ``AMQPError`` `connectionLost` when the
    ///   channel was lost before the broker had taken every settlement: messages that were settled may then still be in
    ///   their queue.
    package func withBatch(
        of count: UInt16, from queue: String, patience: Duration = .milliseconds(500),
        _ body: @escaping @concurrent @Sendable ([Delivery]) async throws -> Void
    ) async throws -> HeldDeliveries? {
        let handle = try await startConsumer(of: queue, prefetch: count)
        guard let consumer = consumers[handle.id], let channel = consumer.channel else {
            await finish(handle.id)
            throw Self.lostBatch(queue, nil)
        }
        let deliveries: [Delivery]
        do {
            deliveries = try await Self.fill(count, from: handle.mailbox) {
                try await self.world.sleep(for: patience)
                return try await self.inspect(queue: queue).messages == 0
            }
        } catch {
            await finish(handle.id)
            throw error
        }
        release(consumer, unread: handle.mailbox.close())
        // A channel in between would have handed out the same messages again.
        let isWhole = consumer.channel === channel && zip(deliveries, 1...).allSatisfy { $0.deliveryTag == UInt64($1) }
        guard deliveries.isEmpty || isWhole else {
            await finish(handle.id)
            throw Self.lostBatch(queue, channel.closed)
        }
        do {
            try await world.task { try await body(deliveries) }.value
        } catch {
            await finish(handle.id)
            throw error
        }
        return try await settled(consumer, on: channel)
    }

    /// Puts back what a batch left unsettled; returns when the broker has taken that.
    package func putBack(_ held: HeldDeliveries) async { await finish(held.consumer) }

    /// Waits until the broker has taken what was settled.
    private func settled(_ consumer: ConsumerCore, on channel: Channel) async throws -> HeldDeliveries? {
        carryOutCommands()
        if consumer.channel === channel, consumer.unsettled > 0 {
            do {
                guard let session else { throw Self.lostBatch(consumer.queue, channel.closed) }
                try consumer.flush(session)
                // Answered behind the settlements.
                _ = try await session.call(.basicQos(prefetch: consumer.prefetch), on: channel)
            } catch let error as AMQPError {
                throw Self.lostBatch(consumer.queue, error)
            }
            return HeldDeliveries(consumer: consumer.id)
        }
        if consumer.channel === channel || consumer.closure != nil { await closeChannel(of: consumer) }
        // Ours is the only end of a channel that leaves this code.
        guard let end = channel.closed, end.code == .connectionClosed, session != nil else {
            throw Self.lostBatch(consumer.queue, channel.closed)
        }
        return nil
    }

    /// Reads until there are `count`, or `isDry` says twice in a row that no more will come.
    private nonisolated static func fill(
        _ count: UInt16, from mailbox: Mailbox, isDry: @escaping @Sendable () async throws -> Bool
    ) async throws -> [Delivery] {
        let taken = Lock(0)
        return try await withThrowingTaskGroup(of: [Delivery]?.self) { group in
            group.addTask {
                var deliveries: [Delivery] = []
                while deliveries.count < count, let delivery = try await mailbox.next() {
                    deliveries.append(delivery)
                    taken.withLock { $0 += 1 }
                }
                return deliveries
            }
            group.addTask {
                var before = -1
                while !Task.isCancelled {
                    let now = taken.withLock { $0 }
                    do {
                        guard try await isDry() else {
                            before = -1
                            continue
                        }
                    } catch is CancellationError {
                        return nil
                    }
                    if before == now { return nil }
                    before = now
                }
                return nil
            }
            var deliveries: [Delivery]?
            while let result = try await group.next() {
                deliveries = result ?? deliveries
                // A reader takes what is there before it minds the cancellation.
                group.cancelAll()
            }
            return deliveries ?? []
        }
    }

    private static func lostBatch(_ queue: String, _ cause: AMQPError?) -> AMQPError {
        AMQPError(
            .connectionLost,
            "the channel that held messages of the queue '\(queue)' was lost\(cause.map { ": \($0.message)" } ?? "")",
            replyCode: cause?.replyCode, replyText: cause?.replyText,
            remedy: "those that were not settled are in their queue again")
    }
}
