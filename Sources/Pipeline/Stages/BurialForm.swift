/// The forms in which a message can be put into a dead-letter queue, from the whole of it to the least.
///
/// A broker may refuse a form for what no client can know beforehand: its present limit of a message's size, a property
/// that only the original's publisher may set, headers that leave no room for ours. The next form then has less of it.
package enum BurialForm: String, Sendable, CaseIterable {
    /// Body, properties and headers as they came, but for what would do harm there.
    case whole
    /// The properties that brokers act on stand in headers.
    case withoutProperties = "without properties"
    /// The headers it came with are left out too.
    case withoutHeaders = "without headers"
    /// In place of the message a note of it: size, digest, properties, headers and the reason, as JSON.
    case note
    /// A note that leaves out properties and headers.
    case shortNote = "short note"

    /// The form with less in it; nil for the last.
    package var next: BurialForm? {
        switch self {
        case .whole: .withoutProperties
        case .withoutProperties: .withoutHeaders
        case .withoutHeaders: .note
        case .note: .shortNote
        case .shortNote: nil
        }
    }
}
