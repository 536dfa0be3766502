/// What was counted, beside its limit.
struct Finding: Sendable {
    var limit: Limit
    var callsPerMessage: Double

    var isWithinLimit: Bool { callsPerMessage <= limit.callsPerMessage }

    var complaint: String {
        """
        \(limit.contender) at \(limit.scenario.key): \(Number.text(callsPerMessage, digits: 3)) system calls for a message, where at most \
        \(Number.text(limit.callsPerMessage, digits: 1)) were expected. Look at \(limit.lookAt); which calls they are \
        shows `strace -f -c -p PID` on a program that does the same.
        """
    }

    static func table(_ findings: [Finding]) -> String {
        var table = Table()
        table.add(["", "", "syscalls/msg", "limit", ""])
        for finding in findings {
            table.add([
                finding.limit.scenario.key, finding.limit.contender, Number.text(finding.callsPerMessage, digits: 3),
                Number.text(finding.limit.callsPerMessage, digits: 1), finding.isWithinLimit ? "" : "TOO MANY",
            ])
        }
        return table.rendered(indent: "")
    }
}
