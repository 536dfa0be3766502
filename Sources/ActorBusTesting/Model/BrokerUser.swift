/// A user of the broker: what it may do, by virtual host, as regular expressions over names (RabbitMQ, "Access
/// Control").
struct BrokerUser {
    struct Permissions: Sendable {
        var configure = ".*"
        var write = ".*"
        var read = ".*"
    }

    var name: String
    var password: String
    var permissions: [String: Permissions]

    func may(_ permission: ConnectionModel.Permission, _ resource: String, in host: String) -> Bool {
        guard let permissions = permissions[host] else { return false }
        let pattern =
            switch permission {
            case .configure: permissions.configure
            case .write: permissions.write
            case .read: permissions.read
            }
        if pattern == ".*" { return true }
        // An empty pattern matches the empty name only.
        guard !pattern.isEmpty else { return resource.isEmpty }
        guard let regex = try? Regex(pattern) else { return false }
        return resource.contains(regex)
    }
}
