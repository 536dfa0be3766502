/// A folder that holds the `/usr` and `/etc` of a Linux system whose RabbitMQ server and Erlang are of a version of their
/// own; `scripts/broker-root` makes such folders of Debian's packages.
///
/// Programs of it run in a mount namespace of their own, in which its `/usr` and `/etc` lie over this machine's. All
/// other paths mean what they mean outside, process ids and ports too, and the mounts end with the programs: nothing
/// is left mounted, however they end.
struct SystemRoot: Sendable {
    let path: String

    /// Where the packages of distributions put servers, one folder a version.
    private static let servers = "/usr/lib/rabbitmq/lib"

    /// Nil when the folder is no such system.
    init?(_ path: String) {
        guard !Posix.names(in: path + Self.servers).isEmpty else { return nil }
        self.path = Posix.absolute(path)
    }

    /// The trees of its servers, as its own programs name them.
    var serverTrees: [String] {
        Posix.names(in: path + Self.servers).map { "\(Self.servers)/\($0)" }
    }

    /// The words that run a command of this system. The process stays the same, so its id is the command's.
    func running(_ command: [String]) -> [String] {
        // Who is not root may still mount in a user namespace, where the system has those.
        let namespace = Posix.isRoot ? ["--mount"] : ["--map-root-user", "--mount"]
        return ["unshare"] + namespace + ["sh", "-c", Self.enter, path] + command
    }

    /// This machine's hosts stay: a server looks its own host name up for many a connection, and would wait for a name
    /// server.
    private static let enter = #"""
        mount --bind /etc/hosts "$0/etc/hosts" && mount --rbind "$0/etc" /etc && mount --bind "$0/usr" /usr && exec "$@"
        """#
}
