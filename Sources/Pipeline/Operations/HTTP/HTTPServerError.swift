/// Why nothing can be served on an address: what was tried, what was found, what to do.
package struct HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kinds that a caller may tell apart.
    package struct Code: Sendable, Hashable {
        private let name: String

        /// Another process listens there.
        package static let portInUse = Code(name: "portInUse")
        /// The port is reserved for privileged users.
        package static let notPermitted = Code(name: "notPermitted")
        /// The address belongs to no interface of this machine, or is no address.
        package static let badAddress = Code(name: "badAddress")
        /// The system refused for another reason.
        package static let system = Code(name: "system")
    }

    package let code: Code
    /// What was to be served, as in "metrics and health".
    package let subject: String
    /// The address and port that were tried.
    package let endpoint: String
    /// What the system said.
    package let found: String
    package let remedy: String

    package var description: String {
        "cannot serve \(subject) on \(endpoint): \(found); \(remedy)"
    }
}
