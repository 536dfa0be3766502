extension AMQPConnection {
    /// What closed the connection for good when its owner did not: an error that no new attempt could mend. Nil while it is
    /// open or comes back by itself, and when its owner closed it.
    package var end: AMQPError? {
        guard let closed, closed.code != .connectionClosed else { return nil }
        return closed
    }
}
