/// Whether a service can do its work now.
package enum Readiness: Sendable, Equatable {
    case ready
    /// With one line of why, for the person who asks.
    case notReady(String)

    /// The service is on its way out and takes no new work.
    package static let draining = Readiness.notReady("draining")
}
