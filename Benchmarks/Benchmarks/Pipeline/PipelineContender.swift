/// A way to run the pipeline that is measured.
struct PipelineContender: Sendable {
    enum Form: Sendable {
        /// The same four roles in Python, a process each.
        case pika
        /// `pipeline-run` once for each role.
        case separate
        /// `pipeline-run all`.
        case all
    }

    static let baseline = "pika"

    var form: Form
    /// Payment replicas: processes, or consumers in `all`.
    var replicas: Int
    /// Messages in work at once, and the prefetch.
    var concurrency = 1

    var name: String {
        switch form {
        case .pika: Self.baseline
        case .separate: "services, concurrency \(concurrency)"
        case .all: "all, concurrency \(concurrency)"
        }
    }
}

/// What a program is started with.
struct ServiceProgram: Sendable {
    var role: PipelineRole
    var path: String
    var arguments: [String]
    var environment: [String: String]
    /// Where it shows its metrics; nil for one that does not. Of `all` it is the generator's port.
    var metricsPort: UInt16?
}

enum PipelineRole: String, Sendable, CaseIterable {
    case generator, payment, fulfillment, notification
    /// All of them in one.
    case all

    static let services: [PipelineRole] = [.generator, .payment, .fulfillment, .notification]
}
