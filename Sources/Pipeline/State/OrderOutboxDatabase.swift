package import ActorBus

/// The orders that the generator has made, on disk: written down before they are published, marked when the broker has
/// confirmed them.
///
/// Everything here blocks, and belongs to one thread at a time; `OrderOutbox` is for tasks. The folder is this
/// process's alone while this object lives.
///
/// The file grows with the unconfirmed orders only: of the confirmed ones the last 10,000 are kept, for a person to
/// look at.
package final class OrderOutboxDatabase {
    static let fileName = "generator.sqlite"
    static let lockName = "generator.lock"
    /// 1 kept an origin beside the counter, which is not looked at any more.
    private static let readableVersions: ClosedRange<Int64> = 1...2
    /// "ordr": tells our file from another program's.
    private static let applicationID: Int64 = 0x6f72_6472

    /// What the identities of the orders written down by this object begin with. Drawn anew each time, so that a new
    /// file, or one restored from an older copy, which gives the same numbers again, makes new identities.
    package let origin: String

    private let lock: StateLock
    private let keptConfirmed: Int64
    let connection: SQLiteConnection

    /// Opens the outbox in a folder, which is made where there is none.
    ///
    /// Throws `StateError` where the folder cannot be used, another process has it, or the file is damaged or from a
    /// newer version; the file is then as it was.
    package init(in directory: StateDirectory, keptConfirmed: Int64 = 10_000, in world: World = .real)
        throws(StateError)
    {
        var randomness = world.randomness
        origin = randomness.next().hexadecimal
        try directory.prepare()
        lock = try StateLock(directory, name: Self.lockName)
        let path = directory.file(Self.fileName)
        if SystemCall.exists(path) { try Self.refuseEmpty(path) } else { try Self.create(path, in: directory) }
        let connection = try SQLiteConnection(path: path)
        try Self.check(connection, path: path)
        self.connection = connection
        self.keptConfirmed = max(keptConfirmed, 0)
    }

    /// Writes new orders down, numbered on from the last one ever written; on the disk when this returns.
    ///
    /// All of them or, where it throws, none; their numbers are then given to the next ones.
    package func writeDown(
        count: Int, order: (_ orderID: Int64) -> Order
    ) throws(StateError) -> [RecordedOrder] {
        guard count > 0 else { return [] }
        try connection.execute("PRAGMA synchronous = FULL")
        return try connection.transaction { () throws(StateError) in
            let first = try connection.number("SELECT next_order_id FROM counter")
            let (next, overflow) = first.addingReportingOverflow(Int64(count))
            guard first > 0, !overflow else {
                throw StateError(
                    .damaged, "the next order number in the outbox is \(first), which leaves no room for \(count) more",
                    remedy: "move the file away to begin a new count")
            }
            let insert = try connection.prepare(
                "INSERT INTO orders (order_id, identity, time_ms, body, confirmed) VALUES (?1, ?2, ?3, ?4, 0)")
            var recorded: [RecordedOrder] = []
            recorded.reserveCapacity(count)
            for orderID in first..<next {
                let order = order(orderID)
                let identity = OrderIdentity(origin: origin, orderID: orderID)
                let body = order.encoded()
                try insert.bind(1, orderID)
                try insert.bind(2, identity.text)
                try insert.bind(3, order.timestamp.milliseconds)
                try insert.bind(4, body)
                try insert.run()
                recorded.append(
                    RecordedOrder(orderID: orderID, identity: identity, time: order.timestamp, body: body))
            }
            let count = try connection.prepare("UPDATE counter SET next_order_id = ?1")
            try count.bind(1, next)
            try count.run()
            return recorded
        }
    }

    /// Marks orders as confirmed, in any order, and drops what is confirmed and old. Unknown numbers change nothing.
    package func markConfirmed(_ orderIDs: [Int64]) throws(StateError) {
        guard !orderIDs.isEmpty else { return }
        // A mark that a power failure takes away costs one more publication under the same message_id, so it need not
        // wait for the disk; the next order written down takes it along.
        try connection.execute("PRAGMA synchronous = NORMAL")
        try connection.transaction { () throws(StateError) in
            let mark = try connection.prepare("UPDATE orders SET confirmed = 1 WHERE order_id = ?1")
            for orderID in orderIDs {
                try mark.bind(1, orderID)
                try mark.run()
            }
            let prune = try connection.prepare(
                "DELETE FROM orders WHERE confirmed = 1 AND order_id < (SELECT next_order_id FROM counter) - ?1")
            try prune.bind(1, keptConfirmed)
            try prune.run()
        }
    }

    /// The orders not marked as confirmed, oldest first: from `after`, at most `limit`.
    package func unconfirmed(after: Int64 = .min, limit: Int = .max) throws(StateError) -> [RecordedOrder] {
        let select = try connection.prepare(
            """
            SELECT order_id, identity, time_ms, body FROM orders
            WHERE confirmed = 0 AND order_id > ?1 ORDER BY order_id LIMIT ?2
            """)
        try select.bind(1, after)
        try select.bind(2, Int64(max(limit, 0)))
        var orders: [RecordedOrder] = []
        while try select.step() {
            orders.append(
                RecordedOrder(
                    orderID: select.number(0), identity: OrderIdentity(select.text(1)),
                    time: Timestamp(clamping: select.number(2)), body: select.bytes(3)))
        }
        return orders
    }

    /// Makes a new outbox, which has its name only once it is whole: an empty file of that name is one that was emptied.
    private static func create(_ path: String, in directory: StateDirectory) throws(StateError) {
        let draft = path + ".new"
        // What a start that was killed has left.
        for suffix in ["", "-wal", "-shm", "-journal"] { SystemCall.removeFile(draft + suffix) }
        try makePrivate(draft)
        try fill(draft)
        let error = SystemCall.rename(draft, to: path, in: directory.path)
        if error != 0 {
            throw StateError(
                .unusable, "cannot make \(path): \(SystemCall.words(for: error))",
                remedy: "make the folder writable for this user, or name another with --state-dir")
        }
    }

    /// Makes the file before SQLite does, which would let everybody read it; its companions take over the mode.
    private static func makePrivate(_ path: String) throws(StateError) {
        let (descriptor, error) = SystemCall.openFile(path)
        if error == 0 { return SystemCall.closeFile(descriptor) }
        throw StateError(
            .unusable, "cannot open \(path): \(SystemCall.words(for: error))",
            remedy: "make the file and its folder writable for this user, or use another")
    }

    private static func check(_ connection: SQLiteConnection, path: String) throws(StateError) {
        let check = try connection.text("PRAGMA quick_check(1)")
        guard check == "ok" else { throw SQLiteConnection.damaged(path, check) }
        try checkOwner(of: connection, path: path)
        // The mode is part of the file; this tells whether it can be used here.
        _ = try connection.text("PRAGMA journal_mode = WAL")
        try connection.execute("PRAGMA journal_size_limit = 4194304")
    }

    /// Throws where the file belongs to another program, or of a version that this one does not know.
    static func checkOwner(of connection: SQLiteConnection, path: String) throws(StateError) {
        let version = try connection.number("PRAGMA user_version")
        guard try connection.number("PRAGMA application_id") == applicationID else {
            throw StateError(
                .foreign, "\(path) is the database of another program", remedy: "use another folder")
        }
        guard readableVersions.contains(version) else {
            throw StateError(
                .foreign,
                "\(path) has version \(version) of the outbox; this program knows up to \(readableVersions.upperBound)",
                remedy: "run the program's newer version, or use another folder")
        }
    }

    private static func fill(_ path: String) throws(StateError) {
        let connection = try SQLiteConnection(path: path)
        _ = try connection.text("PRAGMA journal_mode = WAL")
        try connection.execute("PRAGMA synchronous = FULL")
        try connection.transaction { () throws(StateError) in
            try connection.execute(
                """
                CREATE TABLE counter (next_order_id INTEGER NOT NULL) STRICT;
                CREATE TABLE orders (
                    order_id INTEGER PRIMARY KEY,
                    identity TEXT NOT NULL,
                    time_ms INTEGER NOT NULL,
                    body BLOB NOT NULL,
                    confirmed INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX unconfirmed ON orders (order_id) WHERE confirmed = 0;
                INSERT INTO counter VALUES (1);
                PRAGMA application_id = \(applicationID);
                PRAGMA user_version = \(readableVersions.upperBound);
                """)
        }
    }
}
