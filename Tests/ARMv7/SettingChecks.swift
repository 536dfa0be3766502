/// Numbers as a person writes them on a command line.
func checkSettings(_ transcript: inout Transcript) {
    transcript.begin("Settings")
    for (text, expected) in [
        ("999999999999999999", 999_999_999_999_999_999), ("1000000000000000000", nil), ("4294967296", 1 << 32),
        ("", nil), ("+1", nil), ("2147483648", 1 << 31),
    ] as [(String, Int64?)] {
        transcript.expect("digits \(text)", DecimalText.digits(text), expected)
    }
    transcript.expect("a billion", DecimalText.thousandths("1000000000.999"), 1_000_000_000_999)
    transcript.expect("more than a billion", DecimalText.thousandths("1000000001"), nil)
    transcript.expect("4294967.297", DecimalText.thousandths("4294967.297"), 1 << 32 + 1)
    transcript.expect("2^32 + 1 thousandths", DecimalText.text(thousandths: 1 << 32 + 1), "4294967.297")
    for text in ["0.5-2.0", "86400", "86400.001", "4294967.297", "4294967296-4294967297", "3-1", "x"] {
        do {
            transcript.note("range \(text)", try SecondsRange(text))
        } catch {
            transcript.note("range \(text)", error)
        }
    }
    for text in ["1-5", "10000", "10001", "4294967297", "0", "-1"] {
        do {
            transcript.note("batch \(text)", try BatchSize(text))
        } catch {
            transcript.note("batch \(text)", error)
        }
    }
    for text in ["1000000", "1000000.001", "4294967296", "0.001", "0", "max"] {
        do {
            transcript.note("speed \(text)", try Speed(text))
        } catch {
            transcript.note("speed \(text)", error)
        }
    }
    for text in ["0", "0.9", "1", "1.0000000000000002", "0.30000000000000004", "1e3", "nan"] {
        do {
            transcript.note("rate \(text)", try Share(text).value.bitPattern)
        } catch {
            transcript.note("rate \(text)", error)
        }
    }
}
