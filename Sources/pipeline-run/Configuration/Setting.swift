import ArgumentParser

/// One setting: how it is named, read, and explained.
struct Setting<Value: Sendable>: Sendable {
    /// The flag without its dashes.
    let name: String
    /// The name of the environment variable.
    let environment: String
    /// What the help shows in the value's place.
    let placeholder: String
    /// The value where none is given.
    let standard: Value
    /// That value as the help shows it; nil where there is none to show.
    let standardText: String?
    let help: String
    /// What a shell proposes for the value; nil for nothing in particular.
    let completion: CompletionKind?
    /// Reads a value; the error's description says what was found and what is expected.
    let read: @Sendable (String) throws -> Value

    /// - Parameter environment: `PIPELINE_` and the flag in capitals, unless said otherwise.
    init(
        _ name: String, environment: String? = nil, _ placeholder: String, standard: Value, shown standardText: String?,
        _ help: String, completion: CompletionKind? = nil, read: @escaping @Sendable (String) throws -> Value
    ) {
        self.name = name
        self.environment =
            environment
            ?? "PIPELINE_" + String(name.map { $0 == "-" ? "_" : Character($0.uppercased()) })
        self.placeholder = placeholder
        self.standard = standard
        self.standardText = standardText
        self.help = help
        self.completion = completion
        self.read = read
    }

    var flag: String { "--\(name)" }

    /// The value, from the flag, else the environment, else the standard one.
    func resolve(flag given: String?, _ environment: [String: String]) throws(ConfigurationError) -> Given<Value> {
        if let given {
            do {
                return Given(value: try read(given), origin: .flag, name: flag)
            } catch {
                throw ConfigurationError(.usage, "\(flag): \(error)")
            }
        }
        if let given = environment[self.environment] {
            do {
                return Given(value: try read(given), origin: .environment, name: self.environment)
            } catch {
                let hint =
                    given.hasPrefix("tcp://")
                    ? "; Kubernetes sets such a variable for a Service of that name: set enableServiceLinks: false in the pod"
                    : ""
                throw ConfigurationError(.environment, "\(self.environment): \(error)\(hint)")
            }
        }
        return Given(value: standard, origin: .standard, name: flag)
    }
}

/// A value and where it came from.
struct Given<Value: Sendable>: Sendable {
    enum Origin: Sendable {
        case flag, environment, standard
    }

    let value: Value
    let origin: Origin
    /// The flag or the variable that it came from; of a default, the flag that would change it.
    let name: String

    var isGiven: Bool { origin != .standard }
    /// What is at fault where the value is.
    var faultKind: ConfigurationError.Kind { origin == .flag ? .usage : .environment }
}

/// A value that cannot be read: what was found and what is expected.
struct Unreadable: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// A configuration that cannot be run, with what to do about it. Never holds a secret.
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        /// The command line is at fault.
        case usage
        /// The environment is, or what it points to.
        case environment
    }

    let kind: Kind
    let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

extension Option where Value == String? {
    /// The option of a setting. It is read as text, so that a flag and a variable are judged by the same words.
    init(_ setting: Setting<some Sendable>) {
        let standard = setting.standardText.map { " (default: \($0))" } ?? ""
        // A value may begin with a dash: then it is the value that is refused, and not said to be missing.
        self.init(
            name: .customLong(setting.name), parsing: .unconditional,
            help: ArgumentHelp(
                "\(setting.help)\(standard)", discussion: "Environment: \(setting.environment)",
                valueName: setting.placeholder), completion: setting.completion)
    }
}

extension Flag where Value == Bool {
    /// The flag of a setting that is true or false; it is false where it is not given.
    init(wrappedValue: Bool, _ setting: Setting<Bool>) {
        self.init(
            wrappedValue: wrappedValue, name: .customLong(setting.name),
            help: ArgumentHelp("\(setting.help)", discussion: "Environment: \(setting.environment), true or false"))
    }
}
