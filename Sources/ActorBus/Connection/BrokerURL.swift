/// What an AMQP URL states, and what it leaves out (RabbitMQ, "AMQP 0-9-1 URI Specification" and "URI Query Parameters"):
/// `amqp://user:password@host:port,host:port/vhost?heartbeat=30`.
///
/// Several hosts, separated by commas, are the nodes of one cluster. Percent-encoding is understood in user, password,
/// host and virtual host. Without a path the virtual host is left out; a path of `/` alone is RabbitMQ's empty name in
/// the letter of its specification, but `/` in the practice of its users, and so here. `//` is the virtual host `/` and
/// `//test` is `/test`, as other clients have it. Line breaks, spaces and a byte order mark around a URL are no part of it.
public struct BrokerURL: Sendable, Equatable {
    public var endpoints: [ConnectionConfiguration.Endpoint]
    public var user: String?
    /// Never printed or logged.
    public var password: String?
    public var virtualHost: String?
    /// From `?heartbeat=`, in seconds.
    public var heartbeat: Duration?
    /// From `?connection_timeout=`, in milliseconds.
    public var connectTimeout: Duration?
    /// From `?channel_max=`; 0 is no limit.
    public var channelMax: UInt16?
    /// From `?frame_max=`, in bytes; 0 is no limit.
    public var frameMax: UInt32?
    /// From `?auth_mechanism=`: the first that is known.
    public var loginMechanism: LoginMechanism?
    /// Of an `amqps` URL, with what `?cacertfile=`, `?certfile=`, `?keyfile=`, `?password=` (the key's),
    /// `?server_name_indication=` and `?verify=` say; nil for plain `amqp`.
    public var tls: TLSConfiguration?
    /// What was not taken, in sentences for a log, without a password.
    public var warnings: [String] = []

    /// Reads a URL. Throws ``AMQPError/Code/invalidConfiguration`` with words that do not repeat the URL, since a
    /// password may stand in it.
    public init(_ text: String) throws(AMQPError) {
        guard text.utf8.count <= 16_384 else { throw Self.unreadable("it is longer than 16 KiB") }
        let text = Self.trimmed(text)
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw Self.unreadable("it has a line break or another control character in it")
        }
        var rest: Substring
        // Schemes have no case (RFC 3986, section 3.1).
        if text.prefix("amqp://".count).lowercased() == "amqp://" {
            rest = text.dropFirst("amqp://".count)
        } else if text.prefix("amqps://".count).lowercased() == "amqps://" {
            tls = TLSConfiguration()
            rest = text.dropFirst("amqps://".count)
        } else {
            throw Self.unreadable("it does not begin with amqp:// or amqps://")
        }
        guard !rest.contains("#") else { throw Self.unreadable("it has a '#'; write %23 in a password") }

        var query: Substring = ""
        if let question = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: question)...]
            rest = rest[..<question]
        }
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            // It may be the rest of a password, and would be shown as a virtual host.
            guard !path.contains("@") else {
                throw Self.unreadable(
                    "it has a '@' behind a '/'; write %2F for a slash in a password, %40 in a virtual host")
            }
            guard !path.dropFirst().contains("/") else {
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
        endpoints = try Self.endpoints(rest, defaultPort: tls == nil ? 5672 : 5671)
        try read(query: query)
    }

    /// The text without line breaks, spaces and byte order marks around it, which editors and shells leave there.
    package static func trimmed(_ text: String) -> String {
        func isAround(_ scalar: Unicode.Scalar) -> Bool { scalar.value <= 0x20 || scalar == "\u{FEFF}" }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isAround($0) }),
            let last = scalars.lastIndex(where: { !isAround($0) })
        else { return "" }
        return String(scalars[first...last])
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
        guard let port: UInt16 = number(portText), port > 0 else {
            throw unreadable("a port is no number from 1 to 65535; write %2F for a '/' and %3A for a ':' in a password")
        }
        return .init(host: name, port: port)
    }

    private mutating func read(query: Substring) throws(AMQPError) {
        // It may be the rest of a password, and must not be shown then.
        guard !query.contains("@") else { throw Self.unreadable("it has a '@' behind a '?'; write %3F in a password") }
        var files = (certificate: String?.none, key: String?.none, password: String?.none)
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? parts[1] : ""
            switch parts[0] {
            case "heartbeat":
                guard let seconds: UInt16 = Self.number(value) else {
                    throw Self.unreadable("heartbeat is no number of seconds from 0 to 65535")
                }
                heartbeat = .seconds(Int64(seconds))
            case "connection_timeout":
                guard let milliseconds: UInt32 = Self.number(value) else {
                    throw Self.unreadable("connection_timeout is no number of milliseconds")
                }
                if milliseconds == 0 {
                    warnings.append("connection_timeout=0, which is without end, is not taken from the AMQP URL")
                } else {
                    connectTimeout = .milliseconds(Int64(milliseconds))
                }
            case "channel_max":
                guard let most: UInt16 = Self.number(value) else {
                    throw Self.unreadable("channel_max is no number from 0 to 65535")
                }
                channelMax = most
            case "frame_max":
                guard let most: UInt32 = Self.number(value), most == 0 || most >= 4096 else {
                    throw Self.unreadable("frame_max is no number of bytes, which is 0 or from 4096 on")
                }
                frameMax = most
            case "auth_mechanism":
                guard let mechanism = LoginMechanism(name: try Self.decoded(value, "auth_mechanism")) else {
                    warnings.append("an auth_mechanism of the AMQP URL is not known; plain, amqplain and external are")
                    continue
                }
                if loginMechanism == nil { loginMechanism = mechanism }
            case "cacertfile", "certfile", "keyfile", "password", "server_name_indication", "verify":
                let text = try Self.decoded(value, "parameter '\(parts[0])'")
                guard tls != nil else {
                    warnings.append("the parameter '\(parts[0])' of the AMQP URL has no effect without amqps://")
                    continue
                }
                switch parts[0] {
                case "cacertfile": tls?.trust = .authorities(file: text)
                case "certfile": files.certificate = text
                case "keyfile": files.key = text
                case "password": files.password = text
                case "server_name_indication" where text == "disable":
                    warnings.append("server_name_indication=disable in the AMQP URL has no effect here")
                case "server_name_indication": tls?.serverName = text
                default: try verify(text)
                }
            case "fail_if_no_peer_cert", "depth":
                warnings.append("the parameter '\(parts[0])' of the AMQP URL has no effect here")
            default:
                warnings.append("the parameter \(Self.shown(parts[0])) of the AMQP URL is not known and has no effect")
            }
        }
        guard let certificate = files.certificate else {
            if files.password != nil {
                warnings.append(
                    "the parameter 'password' of the AMQP URL, that of a key, has no effect without certfile")
            }
            if files.key != nil { throw Self.unreadable("it has a keyfile, and no certfile that the key would be of") }
            return
        }
        // As in Erlang, where a file may hold both.
        tls?.identity = .init(
            certificateFile: certificate, keyFile: files.key ?? certificate, keyPassword: files.password)
    }

    private mutating func verify(_ text: String) throws(AMQPError) {
        switch text {
        case "verify_peer": tls?.dangerouslyAcceptsAnyCertificate = false
        case "verify_none":
            tls?.dangerouslyAcceptsAnyCertificate = true
            warnings.append(
                "verify=verify_none in the AMQP URL accepts any certificate of anybody: whoever is on the way can read the "
                    + "password and every message")
        default: throw Self.unreadable("verify is neither verify_peer nor verify_none")
        }
    }

    /// A parameter's name for a person, where it looks like a name.
    private static func shown(_ name: Substring) -> String {
        let isName =
            (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
        return isName ? "'\(name)'" : "behind a '?' or '&' (not shown)"
    }

    /// Decimal digits and nothing else.
    private static func number<Number: FixedWidthInteger>(_ text: Substring) -> Number? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Number(text) : nil
    }

    private static func decoded(_ text: Substring, _ part: String) throws(AMQPError) -> String {
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
            "\(tls == nil ? "amqp" : "amqps")://\(credentials)\(endpoints.map(\.description).joined(separator: ","))/\(virtualHost ?? "")"
    }

    /// Nothing but the description, so that `dump` shows no password either.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}

extension ConnectionConfiguration {
    /// The configuration that a URL states; what it leaves out is RabbitMQ's default (guest, guest, `/`). A parameter that
    /// is not known has no effect; ``BrokerURL/warnings`` names it.
    ///
    /// Throws ``AMQPError/Code/invalidConfiguration``.
    public init(url: String) throws(AMQPError) {
        try self.init(url: BrokerURL(url))
    }

    /// The same of a URL that was read already.
    public init(url: BrokerURL) {
        self.init(endpoints: url.endpoints)
        if let user = url.user { self.user = user }
        if let password = url.password { self.password = password }
        if let virtualHost = url.virtualHost { self.virtualHost = virtualHost }
        if let heartbeat = url.heartbeat { self.heartbeat = heartbeat }
        if let connectTimeout = url.connectTimeout { self.connectTimeout = connectTimeout }
        if let channelMax = url.channelMax, channelMax > 0 { self.channelMax = channelMax }
        if let frameMax = url.frameMax, frameMax > 0 { self.frameMax = frameMax }
        if let loginMechanism = url.loginMechanism { self.loginMechanism = loginMechanism }
        tls = url.tls
    }
}
