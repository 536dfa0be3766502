import ActorBus

/// Writes letters back to the end of their queue.
struct LetterCopies: Sendable {
    private let queue: PipelineQueue
    private let publisher: Publisher?

    /// - Parameter publisher: nil where no letter is expected to be left; one that is counts as not written.
    init(of queue: PipelineQueue, with publisher: Publisher?) {
        self.queue = queue
        self.publisher = publisher
    }

    struct Written {
        /// Those whose copy the broker has confirmed.
        var copied: [Delivery] = []
        /// Why single letters cannot be written back, whatever is tried.
        var faults: [String] = []
        /// Why the broker takes no copies at present.
        var failure: (any Error)?
    }

    /// Publishes a copy of each letter, in their order, and waits for every confirm.
    func write(_ letters: [Delivery]) async -> Written {
        var written = Written()
        var sent: [(Delivery, PendingConfirm)] = []
        for letter in letters {
            if let fault = letter.headersFault {
                written.faults.append("its headers cannot be read: \(fault)")
                continue
            }
            guard let publisher else {
                written.faults.append("nothing was expected to be left")
                continue
            }
            do {
                let copy = DeadLetterCopy.of(letter.message)
                sent.append((letter, try await publisher.send(copy, to: "", routingKey: queue.deadLetterQueue)))
            } catch {
                note(error, &written)
            }
        }
        for (letter, confirm) in sent {
            do {
                try await confirm.confirmed()
                written.copied.append(letter)
            } catch {
                note(error, &written)
            }
        }
        return written
    }

    private func note(_ error: any Error, _ written: inout Written) {
        guard var error = error as? AMQPError else { return written.failure = written.failure ?? error }
        if error.code == .invalidMessage { return written.faults.append("\(error)") }
        error.message =
            "a letter could not be written back to \(queue.deadLetterQueue), and was returned: \(error.message)"
        written.failure = written.failure ?? error
    }
}

/// A letter as it can be published again.
enum DeadLetterCopy {
    /// What a broker adds when it hands a message out; a count that went along would not begin anew.
    static let deliveryHeaders = ["x-delivery-count", "x-acquired-count"]
    /// What a broker adds when it dead-letters a message (RabbitMQ, "Dead Letter Exchanges"). From an earlier life, it
    /// would count as a step of a cycle.
    static let deathHeaders = [
        "x-death", "x-first-death-queue", "x-first-death-reason", "x-first-death-exchange", "x-last-death-queue",
        "x-last-death-reason", "x-last-death-exchange",
    ]
    private static let replyHere = "amq.rabbitmq.reply-to"

    /// The same letter, but for how often it was handed out.
    ///
    /// Four things would have the broker refuse it or send it to further queues, and move to headers of their own: the
    /// user id of somebody else, a reply to be sent to a channel that is gone, and CC and BCC.
    static func of(_ letter: Message) -> Message {
        var copy = letter
        for name in deliveryHeaders { copy.properties.headers[name] = nil }
        if let userID = copy.properties.userID {
            copy.properties.userID = nil
            copy.properties.headers["x-original-user-id"] = .string(userID)
        }
        if let replyTo = copy.properties.replyTo, replyTo.hasPrefix(replyHere) {
            copy.properties.replyTo = nil
            copy.properties.headers["x-original-reply-to"] = .string(replyTo)
        }
        for name in ["CC", "BCC"] {
            if let value = copy.properties.headers.removeValue(forKey: name) {
                copy.properties.headers["x-original-\(name.lowercased())"] = value
            }
        }
        return copy
    }
}
