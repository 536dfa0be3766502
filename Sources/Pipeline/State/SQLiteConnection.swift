import CSQLite

/// One connection to an SQLite database file, for one thread at a time.
///
/// Safe: it alone owns the handle, which nothing uses after `deinit` closes it.
@safe
final class SQLiteConnection {
    /// Where the database is, for errors.
    private let path: String
    private let handle: OpaquePointer

    /// Opens the file, which is made where there is none.
    convenience init(path: String) throws(StateError) {
        try self.init(path: path, name: path, flags: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
    }

    /// Opens a file that exists, to read only.
    ///
    /// - Parameter isQuiet: whether nobody writes to it and all of it stands in the file itself; nothing beside it is then
    ///   opened or made.
    convenience init(reading path: String, isQuiet: Bool) throws(StateError) {
        // As a URI (SQLite, "Uniform Resource Identifiers"), for the option; its own signs are escaped.
        var name = "file:"
        for scalar in path.unicodeScalars {
            switch scalar {
            case "%": name += "%25"
            case "?": name += "%3f"
            case "#": name += "%23"
            default: name.unicodeScalars.append(scalar)
            }
        }
        try self.init(
            path: path, name: name + (isQuiet ? "?mode=ro&immutable=1" : "?mode=ro"),
            flags: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI)
    }

    private init(path: String, name: String, flags: CInt) throws(StateError) {
        var handle: OpaquePointer?
        let code = unsafe sqlite3_open_v2(name, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let handle = unsafe handle else {
            // Also after a failure there may be a handle, which is ours to close.
            let error = unsafe Self.error(code, handle, path: path, doing: "open")
            unsafe sqlite3_close_v2(handle)
            throw error
        }
        self.path = path
        unsafe self.handle = handle
        // A person may be looking into the file at this moment.
        unsafe sqlite3_busy_timeout(handle, 5000)
    }

    deinit {
        unsafe sqlite3_close_v2(handle)
    }

    /// Runs statements that take no values and whose rows are of no interest.
    func execute(_ sql: String) throws(StateError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw error(code, doing: "write to") }
    }

    /// A statement to be given values and run, perhaps several times.
    func prepare(_ sql: String) throws(StateError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let code = unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        guard code == SQLITE_OK, let statement = unsafe statement else { throw error(code, doing: "use") }
        return unsafe SQLiteStatement(owning: statement, of: self)
    }

    /// The first column of the first row, as a whole number; 0 where there is no row.
    func number(_ sql: String) throws(StateError) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step() ? statement.number(0) : 0
    }

    /// The first column of the first row, as text; empty where there is no row.
    func text(_ sql: String) throws(StateError) -> String {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Carries out `body` as a whole or, where it throws, not at all.
    func transaction<Answer>(_ body: () throws(StateError) -> Answer) throws(StateError) -> Answer {
        try execute("BEGIN IMMEDIATE")
        do {
            let answer = try body()
            try execute("COMMIT")
            return answer
        } catch {
            // SQLite itself rolls back after some errors (a full disk); a rollback then has nothing left to do.
            if unsafe sqlite3_get_autocommit(handle) == 0 {
                _ = unsafe sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
            }
            throw error
        }
    }

    func error(_ code: CInt, doing what: String) -> StateError {
        unsafe Self.error(code, handle, path: path, doing: what)
    }

    private static func error(_ code: CInt, _ handle: OpaquePointer?, path: String, doing what: String) -> StateError {
        // Without a handle, for want of memory, SQLite still has words for the code.
        let words = unsafe String(cString: handle == nil ? sqlite3_errstr(code) : sqlite3_errmsg(handle))
        let message = "cannot \(what) \(path): \(words) (SQLite \(code))"
        switch code & 0xFF {
        case SQLITE_FULL:
            return StateError(.full, message, remedy: "make room on the disk")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return damaged(path, words)
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return StateError(
                .unusable, message,
                remedy: "make the file and its folder writable for this user, or use another")
        case SQLITE_BUSY, SQLITE_LOCKED:
            return StateError(.inUse, message, remedy: "end the program that has the file open")
        default:
            return StateError(.database, message, remedy: "check the disk and the folder")
        }
    }

    static func damaged(_ path: String, _ words: String) -> StateError {
        StateError(
            .damaged, "the order outbox \(path) is damaged: \(words)",
            remedy: "restore it from a copy, or move it away to begin a new count "
                + "(orders in it that were not yet confirmed are then not published again)")
    }
}
