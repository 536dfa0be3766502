import CSQLite

/// A prepared statement. Values are numbered from 1, columns from 0.
///
/// Safe: it alone owns the handle, which nothing uses after `deinit` finalizes it.
@safe
final class SQLiteStatement {
    private let handle: OpaquePointer
    /// Kept, so that the connection outlives its statement.
    private let connection: SQLiteConnection

    init(owning handle: OpaquePointer, of connection: SQLiteConnection) {
        unsafe self.handle = handle
        self.connection = connection
    }

    deinit {
        unsafe sqlite3_finalize(handle)
    }

    func bind(_ place: CInt, _ number: Int64) throws(StateError) {
        try check(unsafe sqlite3_bind_int64(handle, place, number))
    }

    func bind(_ place: CInt, _ text: String) throws(StateError) {
        // The copy that SQLite makes spares us from keeping the bytes in place until the statement has run.
        try check(unsafe sqlite3_bind_text(handle, place, text, -1, Self.copied))
    }

    func bind(_ place: CInt, _ bytes: [UInt8]) throws(StateError) {
        let code = unsafe bytes.withUnsafeBytes {
            unsafe sqlite3_bind_blob64(handle, place, $0.baseAddress, UInt64($0.count), Self.copied)
        }
        try check(code)
    }

    /// Goes on to the next row. False when there is none.
    func step() throws(StateError) -> Bool {
        switch unsafe sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.error(code, doing: "use")
        }
    }

    /// Runs the statement with the values given, then makes it ready for the next ones.
    func run() throws(StateError) {
        _ = try step()
        try check(unsafe sqlite3_reset(handle))
    }

    func number(_ column: CInt) -> Int64 {
        unsafe sqlite3_column_int64(handle, column)
    }

    func text(_ column: CInt) -> String {
        guard let text = unsafe sqlite3_column_text(handle, column) else { return "" }
        return unsafe String(cString: text)
    }

    func bytes(_ column: CInt) -> [UInt8] {
        // The pointer first, then the length: SQLite's own order, in which the length is that of the pointer's bytes.
        guard let start = unsafe sqlite3_column_blob(handle, column) else { return [] }
        let count = unsafe sqlite3_column_bytes(handle, column)
        return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: Int(count)))
    }

    private func check(_ code: CInt) throws(StateError) {
        if code != SQLITE_OK { throw connection.error(code, doing: "use") }
    }

    /// SQLITE_TRANSIENT, a cast in C that Swift does not import.
    private static var copied: sqlite3_destructor_type {
        unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    }
}
