import ActorBus
import Pipeline

/// An error in words for whoever runs the command: what a library says of it, and the flag that decides what it speaks of.
enum ErrorText {
    static func of(_ error: any Error) -> String {
        guard let hint = hint(for: error) else { return "\(error)" }
        return "\(error) (\(hint))"
    }

    private static func hint(for error: any Error) -> String? {
        switch error {
        case let error as AMQPError where error.code == .drainTimedOut: "\(Settings.drainTimeout.flag) sets it"
        case let error as StateError where [.noFolder, .unusable, .inUse, .foreign].contains(error.code):
            "\(Settings.stateDirectory.flag) names the folder"
        default: nil
        }
    }
}
