/// Something that a broker holds otherwise than a ``Topology`` has it.
public struct TopologyDifference: Sendable, Equatable, CustomStringConvertible {
    public enum Resource: Sendable, Hashable, CustomStringConvertible {
        case exchange(String)
        case queue(String)

        public var description: String {
            switch self {
            case .exchange(let name): "the exchange '\(name)'"
            case .queue(let name): "the queue '\(name)'"
            }
        }

        private var name: WireName {
            switch self {
            case .exchange(let name), .queue(let name): WireName(name)
            }
        }

        /// Names are compared byte for byte.
        public static func == (left: Resource, right: Resource) -> Bool {
            switch (left, right) {
            case (.exchange, .exchange), (.queue, .queue): left.name == right.name
            default: false
            }
        }

        public func hash(into hasher: inout Hasher) { hasher.combine(name) }
    }

    public enum Finding: Sendable, Equatable {
        /// The broker holds nothing of that name.
        case missing
        /// The broker holds another; its words say in what. It names the first difference only.
        case different(String)
        /// It is there, and whether it is the same could not be found out, for the reason that the broker gave.
        case unknown(String)
    }

    public var resource: Resource
    public var finding: Finding

    public init(_ resource: Resource, _ finding: Finding) {
        self.resource = resource
        self.finding = finding
    }

    public var description: String {
        switch finding {
        case .missing: "\(resource) is missing"
        case .different(let words): "\(resource) is declared differently: \(words)"
        case .unknown(let words): "\(resource) could not be compared: \(words)"
        }
    }
}
