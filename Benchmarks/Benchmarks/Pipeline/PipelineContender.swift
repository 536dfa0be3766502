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
    var crew = Crew()

    var name: String {
        switch form {
        case .pika: Self.baseline
        case .separate: "services, \(crew.name)"
        case .all: "all, \(crew.name)"
        }
    }
}

/// How much a consumer has in work: `64`, or with a prefetch above that `64/256`.
struct Crew: Sendable, Equatable {
    /// Messages in work at once.
    var concurrency = 1
    /// What the broker hands out ahead; nil for the concurrency.
    var prefetch: Int?

    /// Nil for what cannot be read, or makes no sense.
    init?(_ text: Substring) {
        let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count <= 2, let concurrency = numbers[0], (1...1_000).contains(concurrency) else { return nil }
        self.concurrency = concurrency
        guard numbers.count == 2 else { return }
        guard let prefetch = numbers[1], (concurrency...65_535).contains(prefetch) else { return nil }
        self.prefetch = prefetch
    }

    init() {}

    var name: String { "concurrency \(concurrency)" + (prefetch.map { "/\($0)" } ?? "") }

    var arguments: [String] {
        ["--concurrency", "\(concurrency)"] + (prefetch.map { ["--prefetch", "\($0)"] } ?? [])
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
