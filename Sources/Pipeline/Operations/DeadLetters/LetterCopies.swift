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
        /// Those that cannot be written back, whatever is tried.
        var returned: [DeadLetterWalk.ReturnedLetter] = []
        /// Why the broker takes no copies at present.
        var failure: (any Error)?
    }

    /// Publishes a copy of each letter, in their order, and waits for every confirm.
    func write(_ letters: [Delivery]) async -> Written {
        var written = Written()
        var sent: [(Delivery, PendingConfirm)] = []
        for letter in letters {
            if let fault = letter.headersFault ?? letter.bodyFault {
                written.returned.append(Self.returned(letter, "it could not be read whole: \(fault)"))
                continue
            }
            guard let publisher else {
                written.returned.append(Self.returned(letter, "nothing was expected to be left"))
                continue
            }
            do {
                let copy = letter.message.fitToBeRepublished()
                sent.append((letter, try await publisher.send(copy, to: "", routingKey: queue.deadLetterQueue)))
            } catch {
                note(error, letter, &written)
            }
        }
        for (letter, confirm) in sent {
            do {
                try await confirm.confirmed()
                written.copied.append(letter)
            } catch {
                note(error, letter, &written)
            }
        }
        return written
    }

    private static func returned(_ letter: Delivery, _ fault: String) -> DeadLetterWalk.ReturnedLetter {
        DeadLetterWalk.ReturnedLetter(
            fault: fault, returnsBefore: letter.properties.headers["x-delivery-count"]?.integer)
    }

    private func note(_ error: any Error, _ letter: Delivery, _ written: inout Written) {
        guard var error = error as? AMQPError else { return written.failure = written.failure ?? error }
        if PublishFailure(error) == .message { return written.returned.append(Self.returned(letter, "\(error)")) }
        if error.code == .returned {
            // With the queue goes what was delivered from it, so there is nothing to return and nowhere to return it to.
            error.message =
                "\(queue.deadLetterQueue) was deleted while its letters were looked at, and those in hand are gone with it"
            error.remedy = "every service declares it again when it starts"
        } else {
            error.message =
                "a letter could not be written back to \(queue.deadLetterQueue), and was returned: \(error.message)"
        }
        written.failure = written.failure ?? error
    }
}
