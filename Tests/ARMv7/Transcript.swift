/// What this build answers, line by line on standard output, and whether it is right.
///
/// The same checks are built for 32 and for 64 bits, and the two transcripts must be equal: so every answer counts, not
/// only those whose right value is written here.
struct Transcript {
    private(set) var lines = 0
    private(set) var checks = 0
    private(set) var failures = 0
    private var group: StaticString = ""

    mutating func begin(_ group: StaticString) { self.group = group }

    /// Writes down an answer for the comparison of the builds.
    mutating func note(_ question: String, _ answer: some CustomStringConvertible) {
        lines += 1
        print("\(group): \(question): \(answer.description)")
    }

    mutating func note<Answer: CustomStringConvertible>(_ question: String, _ answer: Answer?) {
        note(question, answer?.description ?? "nil")
    }

    /// Writes down an answer, and compares it with the right one.
    mutating func expect<Answer: Equatable & CustomStringConvertible>(
        _ question: String, _ found: Answer, _ expected: Answer
    ) {
        note(question, found)
        check(question, found == expected, found: found.description, expected: expected.description)
    }

    mutating func expect<Answer: Equatable & CustomStringConvertible>(
        _ question: String, _ found: Answer?, _ expected: Answer?
    ) {
        note(question, found)
        check(
            question, found == expected, found: found?.description ?? "nil", expected: expected?.description ?? "nil")
    }

    private mutating func check(_ question: String, _ isRight: Bool, found: String, expected: String) {
        checks += 1
        guard !isRight else { return }
        failures += 1
        print("FAILED \(group): \(question): expected \(expected), found \(found)")
    }
}

/// Bytes as text.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    var text = ""
    for byte in bytes { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
    return text
}

/// Runs every check; 1 when one failed.
@_cdecl("run_checks")
public func runChecks() -> CInt {
    var transcript = Transcript()
    checkLedgers(&transcript)
    checkNumbers(&transcript)
    checkTimes(&transcript)
    checkWaits(&transcript)
    checkMachines(&transcript)
    checkIdentities(&transcript)
    checkDecisions(&transcript)
    checkMessages(&transcript)
    checkSettings(&transcript)
    checkWire(&transcript)
    print("\(transcript.lines) answers, \(transcript.checks) checked, \(transcript.failures) wrong")
    return transcript.failures == 0 ? 0 : 1
}
