/// The folder in which the pipeline keeps what outlives a process.
package struct StateDirectory: Sendable, Equatable {
    /// A path, absolute unless the flag gave a relative one.
    package let path: String

    /// A folder by its path, which need not exist yet.
    package init(path: String) {
        self.path = path
    }

    /// The folder to use: the flag's, else `$XDG_STATE_HOME/order-pipeline`, else `$HOME/.local/state/order-pipeline`.
    ///
    /// An empty variable counts as absent. Throws where none is given, or a variable's path is not absolute.
    package static func resolve(flag: String?, environment: [String: String]) throws(StateError) -> StateDirectory {
        if let flag {
            if flag.isEmpty {
                throw StateError(.noFolder, "the state folder's name is empty", remedy: "give it one")
            }
            return StateDirectory(path: flag)
        }
        if let base = try absolute("XDG_STATE_HOME", in: environment) {
            return StateDirectory(path: base + "/order-pipeline")
        }
        if let home = try absolute("HOME", in: environment) {
            return StateDirectory(path: home + "/.local/state/order-pipeline")
        }
        throw StateError(
            .noFolder, "no place for the state is known: neither XDG_STATE_HOME nor HOME is set",
            remedy: "name a folder")
    }

    /// Makes the folder, and those above it, unless they exist; for this user alone (mode 0700).
    ///
    /// Throws where that fails or the folder cannot be written to.
    package func prepare() throws(StateError) {
        var prefix = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            prefix += part
            defer { prefix += "/" }
            if SystemCall.isFolder(prefix) { continue }
            let error = SystemCall.makeFolder(prefix)
            // Another process may have made it just now.
            if error != 0 && !SystemCall.isFolder(prefix) {
                let found = SystemCall.exists(prefix) ? "\(prefix) is no folder" : SystemCall.words(for: error)
                throw unusable("cannot make the folder \(path): \(found) (at \(prefix))")
            }
        }
        let error = SystemCall.mayWrite(path)
        if error != 0 { throw unusable("cannot write to the folder \(path): \(SystemCall.words(for: error))") }
    }

    /// The path of a file in this folder.
    package func file(_ name: String) -> String {
        path.hasSuffix("/") ? path + name : path + "/" + name
    }

    private func unusable(_ message: String) -> StateError {
        StateError(.unusable, message, remedy: "name a folder that this user may write to")
    }

    private static func absolute(
        _ variable: String, in environment: [String: String]
    ) throws(StateError) -> String? {
        guard var value = environment[variable], !value.isEmpty else { return nil }
        guard value.hasPrefix("/") else {
            throw StateError(
                .noFolder, "\(variable) is \"\(PrintableText.of(value, limit: 200))\", which is no absolute path",
                remedy: "correct it, or name a folder")
        }
        while value.hasSuffix("/") { value.removeLast() }
        return value
    }
}
