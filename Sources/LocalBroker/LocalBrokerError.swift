/// Why a private broker could not be started, or could not do what was asked of it.
///
/// `CancellationError` stays itself and is never wrapped in this type.
public struct LocalBrokerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure; open, so that a new kind breaks no switch.
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// No RabbitMQ server, or no Erlang for it, is installed here.
        public static let notInstalled = Code(rawValue: "notInstalled")
        /// An option cannot be honoured.
        public static let invalidOption = Code(rawValue: "invalidOption")
        /// Another live broker uses the data folder.
        public static let dataDirectoryInUse = Code(rawValue: "dataDirectoryInUse")
        /// The data folder was written by a version of RabbitMQ that the installed one cannot take over.
        public static let dataOfOtherVersion = Code(rawValue: "dataOfOtherVersion")
        /// A folder or file could not be made, read or written.
        public static let fileSystem = Code(rawValue: "fileSystem")
        /// The server ended before it answered.
        public static let startFailed = Code(rawValue: "startFailed")
        /// Something took longer than its deadline.
        public static let timedOut = Code(rawValue: "timedOut")
        /// The node or the broker asked for is not running.
        public static let notRunning = Code(rawValue: "notRunning")
        /// `rabbitmqctl` refused.
        public static let commandFailed = Code(rawValue: "commandFailed")
    }

    public let code: Code
    /// What was tried, and what was found.
    public let message: String
    /// What to do about it, where there is something to do.
    public let remedy: String?
    /// The last lines the server wrote, where it wrote any.
    public let logTail: String?

    init(_ code: Code, _ message: String, remedy: String? = nil, logTail: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
        self.logTail = logTail
    }

    public var description: String {
        var text = message
        if let remedy {
            text += "; " + remedy
        }
        if let logTail, !logTail.isEmpty {
            text += "\nthe server's last words:\n" + logTail
        }
        return text
    }
}
