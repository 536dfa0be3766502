/// What an AMQP URL states, and what it leaves out (RabbitMQ, "AMQP 0-9-1 URI Specification"):
/// `amqp://user:password@host:port,host:port/vhost?heartbeat=30`.
///
/// Several hosts, separated by commas, are the nodes of one cluster. Percent-encoding is understood in user, password,
/// host and virtual host. Without a path the virtual host is left out; a path of `/` alone is RabbitMQ's empty name in
/// the letter of its specification, but `/` in the practice of its users, and so here.
public struct BrokerURL: Sendable, Equatable {
    public var endpoints: [ConnectionConfiguration.Endpoint]
    public var user: String?
    /// Never printed or logged.
    public var password: String?
    public var virtualHost: String?
    /// From `?heartbeat=`, in seconds.
    public var heartbeat: Duration?
    /// Whether it is an `amqps` URL.
    public var isTLS: Bool

    /// Reads a URL. Throws ``AMQPError/Code/invalidConfiguration`` with words that do not repeat the URL, since a
    /// password may stand in it.
    public init(_ text: String) throws(AMQPError) {
        guard text.utf8.count <= 16_384 else { throw Self.unreadable("it is longer than 16 KiB") }
        var rest: Substring
        if text.hasPrefix("amqp://") {
            isTLS = false
            rest = text.dropFirst("amqp://".count)
        } else if text.hasPrefix("amqps://") {
            isTLS = true
            rest = text.dropFirst("amqps://".count)
        } else {
            throw Self.unreadable("it does not begin with amqp:// or amqps://")
        }
        guard !rest.contains("#") else { throw Self.unreadable("it has a '#'; write %23 in a password") }

        if let question = rest.firstIndex(of: "?") {
            heartbeat = try Self.heartbeat(in: rest[rest.index(after: question)...])
            rest = rest[..<question]
        }
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            guard !path.contains("/") else {
                throw Self.unreadable("its virtual host has a '/'; write %2F")
            }
            virtualHost = path.isEmpty ? nil : try Self.decoded(path, "virtual host")
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let credentials = rest[..<at]
            rest = rest[rest.index(after: at)...]
            guard !credentials.contains("@") else { throw Self.unreadable("its user or password has a '@'; write %40") }
            if let colon = credentials.firstIndex(of: ":") {
                password = try Self.decoded(credentials[credentials.index(after: colon)...], "password")
                user = try Self.decoded(credentials[..<colon], "user")
            } else {
                user = try Self.decoded(credentials, "user")
            }
            guard user?.isEmpty == false else { throw Self.unreadable("its user is empty") }
        }
        endpoints = try Self.endpoints(rest, defaultPort: isTLS ? 5671 : 5672)
    }

    /// Reads a comma-separated list of hosts, each with or without a port; IPv6 addresses stand in brackets.
    public static func endpoints(
        _ list: some StringProtocol, defaultPort: UInt16 = 5672
    ) throws(AMQPError) -> [ConnectionConfiguration.Endpoint] {
        var endpoints: [ConnectionConfiguration.Endpoint] = []
        for part in list.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try endpoint(Substring(part), defaultPort: defaultPort))
        }
        return endpoints
    }

    private static func endpoint(
        _ text: Substring, defaultPort: UInt16
    ) throws(AMQPError) -> ConnectionConfiguration.Endpoint {
        var host = text
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw unreadable("a '[' of a host has no ']'") }
            host = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else {
                throw unreadable("after ']' comes neither ':' nor the end")
            }
            portText = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            portText = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw unreadable("an IPv6 address stands without brackets") }
        }
        let name = try decoded(host, "host")
        guard !name.isEmpty else { throw unreadable("a host is empty") }
        guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw unreadable("a host has a space in it") }
        guard let portText else { return .init(host: name, port: defaultPort) }
        // What stands where a port belongs may be part of a password with a '/' in it, so it is not repeated.
        guard let port = number(portText), port > 0 else {
            throw unreadable("a port is no number from 1 to 65535; write %2F for a '/' and %3A for a ':' in a password")
        }
        return .init(host: name, port: port)
    }

    private static func heartbeat(in query: Substring) throws(AMQPError) -> Duration? {
        var heartbeat: Duration?
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.first == "heartbeat" else {
                throw unreadable("it has a parameter that is not 'heartbeat'; write %3F for a '?' in a password")
            }
            guard parts.count == 2, let seconds = number(parts[1]) else {
                throw unreadable("heartbeat is no number of seconds from 0 to 65535")
            }
            heartbeat = .seconds(Int64(seconds))
        }
        return heartbeat
    }

    /// Decimal digits and nothing else.
    private static func number(_ text: Substring) -> UInt16? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? UInt16(text) : nil
    }

    private static func decoded(_ text: Substring, _ part: StaticString) throws(AMQPError) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                throw unreadable("a '%' in its \(part) is not followed by two hexadecimal digits; write %25 for '%'")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw unreadable("its \(part) is no UTF-8")
        }
        return decoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(UnicodeScalar(byte)).hexDigitValue.map { UInt8($0) }
    }

    private static func unreadable(_ why: String) -> AMQPError {
        AMQPError(
            .invalidConfiguration, "the AMQP URL cannot be read: \(why)",
            remedy: "write it as amqp://user:password@host:port/vhost")
    }
}

extension BrokerURL: CustomStringConvertible, CustomReflectable {
    /// The URL without the password.
    public var description: String {
        let credentials = user.map { "\($0)@" } ?? ""
        return
            "\(isTLS ? "amqps" : "amqp")://\(credentials)\(endpoints.map(\.description).joined(separator: ","))/\(virtualHost ?? "")"
    }

    /// Nothing but the description, so that `dump` shows no password either.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

extension ConnectionConfiguration {
    /// The configuration that a URL states; what it leaves out is RabbitMQ's default (guest, guest, `/`).
    /// Throws ``AMQPError/Code/invalidConfiguration``, and `unsupported` for `amqps`.
    public init(url: String) throws(AMQPError) {
        let url = try BrokerURL(url)
        guard !url.isTLS else {
            throw AMQPError(
                .unsupported, "TLS (amqps://) is not yet available", remedy: "use amqp:// on a trusted network")
        }
        self.init(endpoints: url.endpoints)
        if let user = url.user { self.user = user }
        if let password = url.password { self.password = password }
        if let virtualHost = url.virtualHost { self.virtualHost = virtualHost }
        if let heartbeat = url.heartbeat { self.heartbeat = heartbeat }
    }
}
