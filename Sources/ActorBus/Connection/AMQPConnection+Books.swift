extension AMQPConnection {
    /// What a connection holds for its users: for tests that nothing is left behind.
    package struct Books: Sendable, Equatable {
        package var publishers = 0
        /// Of the publishers, those that nobody can publish with any more.
        package var released = 0
        package var consumers = 0
        /// Tasks that wait for a consumer or for the connection.
        package var waiters = 0
        /// Pauses that are not over.
        package var alarms = 0

        package init() {}
    }

    package var books: Books {
        var books = Books()
        books.publishers = publishers.values.count
        books.released = publishers.values.count(where: \.isReleased)
        books.consumers = consumers.values.count
        books.waiters = registrations.values.reduce(openWaiters.count) { $0 + $1.count }
        books.alarms = alarms.count
        return books
    }
}
