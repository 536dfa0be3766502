import FoundationEssentials
import Testing

@testable import Pipeline

@Suite("Order outbox database")
struct OrderOutboxDatabaseTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func open(_ folder: TemporaryFolder? = nil, kept: Int64 = 10_000) throws(StateError) -> OrderOutboxDatabase
    {
        try OrderOutboxDatabase(in: (folder ?? self.folder).directory, keptConfirmed: kept)
    }

    private func failure(_ body: () throws(StateError) -> Void) -> StateError? {
        do {
            try body()
            return nil
        } catch {
            return error
        }
    }

    private func order(_ orderID: Int64) -> Order {
        OrderContents(seed: 1, orderID: orderID).order(orderID, at: Timestamp(clamping: 1_767_781_800_123))
    }

    @discardableResult
    private func write(_ count: Int, to outbox: OrderOutboxDatabase) throws(StateError) -> [RecordedOrder] {
        try outbox.writeDown(count: count) { order($0) }
    }

    @Test("numbers orders from 1, and gives them back as they were written")
    func writing() throws {
        let outbox = try open()
        let first = try write(3, to: outbox)
        let second = try write(2, to: outbox)
        #expect((first + second).map(\.orderID) == [1, 2, 3, 4, 5])
        for recorded in first + second {
            #expect(recorded.body == order(recorded.orderID).encoded())
            #expect(recorded.time.milliseconds == 1_767_781_800_123)
            #expect(recorded.identity.text == "\(outbox.origin)-\(recorded.orderID)")
            #expect(recorded.identity.text.utf8.count <= 40)
        }
        #expect(try outbox.unconfirmed() == first + second)
        #expect(try write(0, to: outbox).isEmpty)
        #expect(try write(1, to: outbox).first?.orderID == 6)
    }

    @Test("confirmed orders are no longer listed, in whatever order they are confirmed")
    func confirming() throws {
        let outbox = try open()
        try write(10, to: outbox)
        try outbox.markConfirmed([7, 2])
        try outbox.markConfirmed([2, 9, 1, 999, -1])
        try outbox.markConfirmed([])
        #expect(try outbox.unconfirmed().map(\.orderID) == [3, 4, 5, 6, 8, 10])
        #expect(try outbox.unconfirmed(after: 4, limit: 2).map(\.orderID) == [5, 6])
        #expect(try outbox.unconfirmed(limit: 0).isEmpty)
        #expect(try outbox.unconfirmed(after: 10).isEmpty)
    }

    @Test("goes on after a restart: next number, same unconfirmed, another origin")
    func restart() throws {
        var outbox: OrderOutboxDatabase? = try open()
        let origin = outbox?.origin
        let recorded = try outbox.map { try write(4, to: $0) } ?? []
        try outbox?.markConfirmed([2, 4])
        outbox = nil
        let again = try open()
        #expect(again.origin != origin)
        #expect(try again.unconfirmed() == [recorded[0], recorded[2]])
        #expect(try write(1, to: again).first?.orderID == 5)
    }

    @Test("has all that was written down when the process is killed at any moment")
    func killed() throws {
        let outbox = try open()
        for round in 1...20 {
            let before = try write(3, to: outbox).map(\.orderID)
            try outbox.markConfirmed([before[0]])
            let left = try open(try folder.copy())
            #expect(try left.unconfirmed() == outbox.unconfirmed())
            #expect(try write(1, to: left).first?.orderID == Int64(round * 3 + 1))
        }
    }

    @Test("a batch that is not committed leaves nothing, and takes no numbers")
    func unfinished() throws {
        let outbox = try open()
        try write(2, to: outbox)
        var left: OrderOutboxDatabase?
        _ = try outbox.writeDown(count: 3) { orderID in
            // Between two orders of a batch: what a kill here would leave.
            if orderID == 5 { left = try? open(folder.copy()) }
            return order(orderID)
        }
        let after = try #require(left)
        #expect(try after.unconfirmed().map(\.orderID) == [1, 2])
        #expect(try write(1, to: after).first?.orderID == 3)
        #expect(try outbox.unconfirmed().map(\.orderID) == [1, 2, 3, 4, 5])
    }

    @Test("a new count has a new origin, so no identity comes back")
    func newCount() throws {
        let first = try open()
        let second = try open(try TemporaryFolder())
        #expect(first.origin != second.origin)
        #expect(first.origin.utf8.count == 16)
        let numbers = try write(1, to: first) + write(1, to: second)
        #expect(numbers.map(\.orderID) == [1, 1])
        #expect(numbers[0].identity != numbers[1].identity)
    }

    @Test("restored from an older copy it gives numbers again, and no identity")
    func restoredCopy() throws {
        let outbox = try open()
        try write(2, to: outbox)
        let copy = try folder.copy()
        let since = try write(3, to: outbox)
        let again = try write(3, to: open(copy))
        #expect(again.map(\.orderID) == since.map(\.orderID))
        #expect(Set(again.map(\.identity)).isDisjoint(with: since.map(\.identity)))
    }

    @Test("keeps the last confirmed orders only, and goes on counting when all are gone")
    func pruning() throws {
        var outbox: OrderOutboxDatabase? = try open(kept: 5)
        for _ in 0..<20 {
            let numbers = try outbox.map { try write(3, to: $0).map(\.orderID) } ?? []
            try outbox?.markConfirmed(numbers.filter { $0 != 7 })
        }
        #expect(try outbox?.connection.number("SELECT count(*) FROM orders") == 6)
        #expect(try outbox?.connection.number("SELECT min(order_id) FROM orders WHERE confirmed = 1") == 56)
        #expect(try outbox?.unconfirmed().map(\.orderID) == [7])
        outbox = nil
        outbox = try open(kept: 0)
        try outbox?.markConfirmed([7])
        #expect(try outbox?.connection.number("SELECT count(*) FROM orders") == 0)
        #expect(try outbox.map { try write(1, to: $0) }?.first?.orderID == 61)
    }

    @Test("the files stay bounded over many orders")
    func bounded() throws {
        let outbox = try open(kept: 100)
        var sizes: [Int] = []
        for _ in 0..<30 {
            let numbers = try write(200, to: outbox).map(\.orderID)
            try outbox.markConfirmed(numbers)
            sizes.append(try folder.read("generator.sqlite").count + folder.read("generator.sqlite-wal").count)
        }
        #expect(sizes.last ?? .max <= 6_000_000)
        #expect(try folder.read("generator.sqlite").count < 500_000)
    }

    @Test("is one process's at a time, and says whose")
    func exclusive() throws {
        var outbox: OrderOutboxDatabase? = try open()
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .inUse)
        #expect(
            error?.message
                == "the state folder \(folder.path) is in use by the process with id \(ProcessInfo.processInfo.processIdentifier)"
        )
        try outbox.map { _ = try write(1, to: $0) }
        outbox = nil
        #expect(failure { () throws(StateError) in _ = try open() } == nil)
    }

    @Test("what a dead process left in the lock file disturbs nobody")
    func staleLock() throws {
        try folder.write(Array("999999999\nrubbish that is longer than any process id".utf8), to: "generator.lock")
        let outbox = try open()
        try write(1, to: outbox)
        #expect(try folder.read("generator.lock") == Array("\(ProcessInfo.processInfo.processIdentifier)\n".utf8))
    }

    @Test("a file that is no database is refused, and left as it is", arguments: [16, 5000])
    func noDatabase(length: Int) throws {
        let rubbish = [UInt8](repeating: 0x5A, count: length)
        try folder.write(rubbish, to: "generator.sqlite")
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .damaged)
        #expect(error?.message.contains(folder.path + "/generator.sqlite") == true)
        #expect(try folder.read("generator.sqlite") == rubbish)
    }

    @Test("a damaged database is refused, wherever the damage is")
    func damaged() throws {
        var outbox: OrderOutboxDatabase? = try open()
        try outbox.map { _ = try write(200, to: $0) }
        outbox = nil
        let whole = try folder.read("generator.sqlite")
        let pages = whole.count / 4096
        #expect(pages > 10)
        var refused = 0
        for page in 0..<pages {
            let copy = try TemporaryFolder()
            var bytes = whole
            for place in (page * 4096)..<(page * 4096 + 200) { bytes[place] = 0xA5 }
            try copy.write(bytes, to: "generator.sqlite")
            guard let error = failure({ () throws(StateError) in _ = try open(copy) }) else { continue }
            #expect(error.code == .damaged)
            refused += 1
        }
        #expect(refused == pages)
    }

    /// A count that begins anew gives numbers a second time, so nothing but an operator begins it.
    @Test("a file that was emptied is no new beginning")
    func emptied() throws {
        try folder.write([], to: "generator.sqlite")
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .damaged && error?.message.contains("0 bytes") == true)
        #expect(error?.remedy.contains("move it away") == true)
        #expect(try folder.read("generator.sqlite").isEmpty)
        #expect(
            failure { () throws(StateError) in _ = try OrderOutboxDatabase.examine(in: folder.directory) } == error)
    }

    @Test("a beginning that was cut short is begun again")
    func cutShort() throws {
        for leftover in ["generator.sqlite.new", "generator.sqlite.new-wal"] {
            try folder.write([1, 2, 3], to: leftover)
        }
        let outbox = try open()
        #expect(try write(1, to: outbox).first?.orderID == 1)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
                "generator.lock", "generator.sqlite", "generator.sqlite-shm", "generator.sqlite-wal",
            ])
    }

    @Test("is examined without being changed, at rest and in use")
    func examined() throws {
        #expect(try !OrderOutboxDatabase.examine(in: folder.directory))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
        do {
            let outbox = try open()
            try write(20, to: outbox)
            #expect(try OrderOutboxDatabase.examine(in: folder.directory))
            #expect(try write(1, to: outbox).first?.orderID == 21)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let bytes = try folder.read("generator.sqlite")
        #expect(try OrderOutboxDatabase.examine(in: folder.directory))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == names)
        #expect(try folder.read("generator.sqlite") == bytes)
    }

    @Test("what a kill left in the log is examined with the rest")
    func examinedWithLog() throws {
        let outbox = try open()
        try write(20, to: outbox)
        let copy = try folder.copy()
        #expect(try OrderOutboxDatabase.examine(in: copy.directory))
        #expect(try open(copy).unconfirmed().count == 20)
    }

    @Test("damage is found by looking", arguments: ["a?b#c%d", "plain"])
    func examinedDamage(name: String) throws {
        let directory = StateDirectory(path: folder.path + "/" + name)
        do { try write(200, to: try OrderOutboxDatabase(in: directory)) }
        #expect(try OrderOutboxDatabase.examine(in: directory))
        var bytes = try folder.read(name + "/generator.sqlite")
        for place in 8192..<8392 { bytes[place] = 0xA5 }
        try folder.write(bytes, to: name + "/generator.sqlite")
        let error = failure { () throws(StateError) in _ = try OrderOutboxDatabase.examine(in: directory) }
        #expect(error?.code == .damaged)
    }

    @Test("a truncated database is refused")
    func truncated() throws {
        var outbox: OrderOutboxDatabase? = try open()
        try outbox.map { _ = try write(200, to: $0) }
        outbox = nil
        let whole = try folder.read("generator.sqlite")
        try folder.write(Array(whole.prefix(whole.count / 2)), to: "generator.sqlite")
        #expect(failure { () throws(StateError) in _ = try open() }?.code == .damaged)
    }

    @Test("a newer version's database is refused, and left as it is")
    func newer() throws {
        var outbox: OrderOutboxDatabase? = try open()
        try outbox.map { _ = try write(1, to: $0) }
        try outbox?.connection.execute("PRAGMA user_version = 3")
        outbox = nil
        let bytes = try folder.read("generator.sqlite")
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .foreign)
        #expect(error?.message.hasSuffix("has version 3 of the outbox; this program knows up to 2") == true)
        #expect(try folder.read("generator.sqlite") == bytes)
    }

    @Test("the first version, which kept an origin, is read and written on")
    func older() throws {
        do {
            let old = try SQLiteConnection(path: folder.directory.file("generator.sqlite"))
            try old.execute(
                """
                CREATE TABLE counter (origin TEXT NOT NULL, next_order_id INTEGER NOT NULL) STRICT;
                CREATE TABLE orders (
                    order_id INTEGER PRIMARY KEY, identity TEXT NOT NULL, time_ms INTEGER NOT NULL, body BLOB NOT NULL,
                    confirmed INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX unconfirmed ON orders (order_id) WHERE confirmed = 0;
                INSERT INTO counter VALUES ('0123456789abcdef', 7);
                INSERT INTO orders VALUES (6, '0123456789abcdef-6', 1, x'7b7d', 0);
                PRAGMA application_id = 1869767794;
                PRAGMA user_version = 1;
                """)
        }
        let outbox = try open()
        #expect(try write(2, to: outbox).map(\.orderID) == [7, 8])
        #expect(try outbox.unconfirmed().map(\.orderID) == [6, 7, 8])
        #expect(try outbox.unconfirmed().first?.identity.text == "0123456789abcdef-6")
    }

    @Test("another program's database is refused")
    func foreign() throws {
        let other = try SQLiteConnection(path: folder.directory.file("generator.sqlite"))
        try other.execute("CREATE TABLE things (x)")
        #expect(failure { () throws(StateError) in _ = try open() }?.code == .foreign)
    }

    @Test("a full disk fails the batch, loses nothing, and is over when there is room again")
    func full() throws {
        let outbox = try open()
        let first = try write(5, to: outbox)
        let pages = try outbox.connection.number("PRAGMA page_count")
        _ = try outbox.connection.number("PRAGMA max_page_count = \(pages)")
        let error = failure { () throws(StateError) in try write(1000, to: outbox) }
        #expect(error?.code == .full)
        #expect(error?.remedy == "make room on the disk")
        #expect(try outbox.unconfirmed() == first)
        _ = try outbox.connection.number("PRAGMA max_page_count = 1000000")
        #expect(try write(1000, to: outbox).first?.orderID == 6)
        #expect(try outbox.unconfirmed().count == 1005)
    }

    @Test("a path that is a folder is refused")
    func folderInPlace() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path + "/generator.sqlite", withIntermediateDirectories: false)
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .unusable)
        #expect(error?.message.contains("generator.sqlite") == true)
    }

    @Test("a lock file that cannot be opened is refused")
    func lockInPlace() throws {
        try FileManager.default.createDirectory(
            atPath: folder.path + "/generator.lock", withIntermediateDirectories: false)
        let error = failure { () throws(StateError) in _ = try open() }
        #expect(error?.code == .unusable)
        #expect(error?.message == "cannot lock \(folder.path)/generator.lock: Is a directory")
    }

    @Test("a count at its end is an error, not a trap", arguments: [Int64.max, Int64.max - 1, 0, -5])
    func exhausted(next: Int64) throws {
        let outbox = try open()
        try outbox.connection.execute("UPDATE counter SET next_order_id = \(next)")
        #expect(failure { () throws(StateError) in try write(2, to: outbox) }?.code == .damaged)
        #expect(try outbox.unconfirmed().isEmpty)
        // The failed batch has left no transaction open.
        try outbox.connection.execute("UPDATE counter SET next_order_id = 1")
        #expect(try write(2, to: outbox).map(\.orderID) == [1, 2])
    }

    @Test("files are for their owner alone, and orders are on the disk before they are published")
    func durability() throws {
        let outbox = try open()
        try write(1, to: outbox)
        #expect(try outbox.connection.text("PRAGMA journal_mode") == "wal")
        #expect(try outbox.connection.number("PRAGMA synchronous") == 2)
        try outbox.markConfirmed([1])
        try write(1, to: outbox)
        #expect(try outbox.connection.number("PRAGMA synchronous") == 2)
        for name in ["generator.lock", "generator.sqlite", "generator.sqlite-wal", "generator.sqlite-shm"] {
            #expect(folder.permissions(name) == 0o600, "\(name)")
        }
    }
}
