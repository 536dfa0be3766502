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
            if let fault = letter.headersFault ?? letter.bodyFault {
                written.faults.append("it could not be read whole: \(fault)")
                continue
            }
            guard let publisher else {
                written.faults.append("nothing was expected to be left")
                continue
            }
            do {
                let copy = letter.message.fitToBeRepublished()
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
