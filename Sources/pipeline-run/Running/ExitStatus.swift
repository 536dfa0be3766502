import ActorBus
import LocalBroker
import Pipeline

/// The exit codes, as the README lists them; those below 128 have sysexits.h's meanings.
enum ExitStatus {
    static let failure: Int32 = 1
    static let usage: Int32 = 64
    static let brokerUnreachable: Int32 = 69
    static let drainTimedOut: Int32 = 75
    static let loginRefused: Int32 = 77
    static let configuration: Int32 = 78
    static let secondSignal: Int32 = 130

    /// The code for an error that ended the run.
    static func of(_ error: any Error) -> Int32 {
        switch error {
        case let error as ConfigurationError: error.kind == .usage ? usage : configuration
        case let error as AMQPError: of(error.code)
        case let error as StateError: error.code == .full || error.code == .database ? failure : configuration
        // An address or port that another holds is for whoever configures to change.
        case is HTTPServerError: configuration
        case let error as LocalBrokerError: of(error.code)
        case is PrivateBroker.Gone: brokerUnreachable
        default: failure
        }
    }

    /// What is for whoever configures to change is told from a server that does not do its work.
    static func of(_ code: LocalBrokerError.Code) -> Int32 {
        switch code {
        case .dataDirectoryInUse, .dataOfOtherVersion, .invalidOption, .notInstalled, .fileSystem: configuration
        default: brokerUnreachable
        }
    }

    private static func of(_ code: AMQPError.Code) -> Int32 {
        switch code {
        case .brokerUnreachable: brokerUnreachable
        case .loginRefused: loginRefused
        case .drainTimedOut: drainTimedOut
        case .virtualHostRefused, .accessRefused, .preconditionFailed, .notFound, .resourceLocked,
            .invalidConfiguration, .unsupported, .tlsFailed:
            configuration
        default: failure
        }
    }
}
