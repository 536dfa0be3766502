import Pipeline

/// What is said of letters that had to be returned to their queue, where a quorum queue counts that.
struct ReturnedLetters: Sendable {
    let queue: PipelineQueue
    let letters: [DeadLetterWalk.ReturnedLetter]
    /// The broker's; nil where it is not known.
    let release: BrokerRelease?
    let virtualHost: String

    /// A line a letter, and one of what to do; none when nothing was returned.
    var lines: [String] {
        guard !letters.isEmpty else { return [] }
        return letters.map { letter in
            let count = letter.returnsBefore.map { " (returns before this one: \($0))" } ?? ""
            return "a letter in \(queue.deadLetterQueue) cannot be written back, and was returned\(count): "
                + PrintableText.of(letter.fault, limit: 500)
        } + [advice]
    }

    /// The policy is for RabbitMQ 4 only: before that, a limit of -1 destroys a message at its first return.
    private var advice: String {
        let limit =
            if let release, release.major < 4 {
                "where a policy gives it one ('rabbitmqctl list_policies'): before more looks, take the limit out of it"
            } else {
                "20 by default from RabbitMQ 4.0 on: before more looks, take the limit away with \"rabbitmqctl set_policy "
                    + "-p '\(PrintableText.of(virtualHost, limit: 255))' letters '\\.dlq$' '{\"delivery-limit\":-1}' "
                    + "--apply-to quorum_queues\" (RabbitMQ 4 only)"
            }
        return "a quorum queue counts each return, and destroys a letter at its delivery limit, \(limit), or let the "
            + "broker take the letter again (max_message_size)"
    }
}
