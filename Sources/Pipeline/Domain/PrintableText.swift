/// Foreign text made fit for one line of a log, a header or a terminal.
package enum PrintableText {
    /// The text with control and direction-changing characters escaped, cut after `limit` characters.
    ///
    /// Reasons and notices carry what strangers wrote; a line break would forge a second log line, and an escape
    /// sequence would reach the reader's terminal.
    package static func of(_ text: String, limit: Int) -> String {
        var shown = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if count == limit { return shown + "…" }
            count += 1
            if isHazardous(scalar) {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return shown
    }

    /// Whether a character could move a cursor, turn text around or hide on a terminal: control characters (C0 and C1),
    /// those that change the direction of text, line separators and invisible ones. All lie in the first plane.
    package static func isHazardous(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x00...0x1F, 0x7F...0x9F, 0x061C: true
        case 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
        default: false
        }
    }
}
