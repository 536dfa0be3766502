/// Why the state on disk cannot be used: what was tried, what was found, what to do.
package struct StateError: Error, Equatable, CustomStringConvertible {
    package struct Code: RawRepresentable, Sendable, Hashable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// No folder is named, or the name is no absolute path.
        package static let noFolder = Code(rawValue: "no-folder")
        /// The folder or a file in it cannot be made, read or written.
        package static let unusable = Code(rawValue: "unusable")
        /// Another process holds the folder.
        package static let inUse = Code(rawValue: "in-use")
        /// The database's bytes make no sense.
        package static let damaged = Code(rawValue: "damaged")
        /// The database was written by a newer version, or by another program.
        package static let foreign = Code(rawValue: "foreign")
        /// No room is left on the disk. What was being written is not written; the rest is as it was.
        package static let full = Code(rawValue: "full")
        /// The outbox is not open, or no longer.
        package static let closed = Code(rawValue: "closed")
        /// SQLite answered with another error.
        package static let database = Code(rawValue: "database")
    }

    package let code: Code
    /// What was tried and what was found.
    package let message: String
    /// What to do about it.
    package let remedy: String

    package init(_ code: Code, _ message: String, remedy: String) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    package var description: String { "\(message); \(remedy)" }
}
