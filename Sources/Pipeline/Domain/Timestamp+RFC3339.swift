extension Timestamp {
    /// This moment as RFC 3339 in UTC with whole seconds: `2026-01-07T10:30:00Z`.
    package var text: String {
        let seconds = seconds
        let days = Self.floorDivide(seconds, by: 86_400)
        let ofDay = seconds - days * 86_400
        let date = Self.civilDate(days: days)
        var text: [UInt8] = []
        text.reserveCapacity(20)
        Self.append(date.year, digits: 4, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(date.month, digits: 2, to: &text)
        text.append(UInt8(ascii: "-"))
        Self.append(date.day, digits: 2, to: &text)
        text.append(UInt8(ascii: "T"))
        Self.append(ofDay / 3600, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(ofDay / 60 % 60, digits: 2, to: &text)
        text.append(UInt8(ascii: ":"))
        Self.append(ofDay % 60, digits: 2, to: &text)
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// The moment that an RFC 3339 date-time writes, nil for anything else.
    ///
    /// Read are all of RFC 3339, section 5.6: fractions of any length (cut to the millisecond), offsets, `t` and `z` in
    /// lower case, a space for the `T`. The leap second 23:59:60 UTC is read as 23:59:59, since time since 1970 has no
    /// place for it. Nil as well for a moment outside the years 0000 to 9999 in UTC.
    package init?(_ text: String) {
        var cursor = Cursor(text)
        guard let year = cursor.number(digits: 4), cursor.take(UInt8(ascii: "-")),
            let month = cursor.number(digits: 2), cursor.take(UInt8(ascii: "-")),
            let day = cursor.number(digits: 2), cursor.takeSeparator(),
            let hour = cursor.number(digits: 2), cursor.take(UInt8(ascii: ":")),
            let minute = cursor.number(digits: 2), cursor.take(UInt8(ascii: ":")),
            let second = cursor.number(digits: 2),
            let fraction = cursor.milliseconds(),
            let offset = cursor.offsetInSeconds(), cursor.isAtEnd,
            (1...12).contains(month), day >= 1, day <= Self.days(inMonth: month, year: year),
            hour <= 23, minute <= 59, second <= 60
        else { return nil }
        let ofDay = hour * 3600 + minute * 60 + min(second, 59)
        let seconds = Self.daysSince1970(year: year, month: month, day: day) * 86_400 + ofDay - offset
        if second == 60 && seconds - Self.floorDivide(seconds, by: 86_400) * 86_400 != 86_399 { return nil }
        let milliseconds = seconds * 1000 + fraction
        self.init(clamping: milliseconds)
        if self.milliseconds != milliseconds { return nil }
    }

    // MARK: Calendar

    /// The day a civil date is, counted from 1970-01-01 in the proleptic Gregorian calendar.
    private static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        // Years begin in March, so that the leap day is the last of its year; 400 years are 146,097 days.
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, by: 400)
        let ofEra = shifted - era * 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
    }

    private static func civilDate(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, by: 146_097)
        let ofEra = shifted - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let march = (5 * ofYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (year + era * 400 + (month <= 2 ? 1 : 0), month, ofYear - (153 * march + 2) / 5 + 1)
    }

    private static func days(inMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        default: 31
        }
    }

    private static func floorDivide(_ number: Int64, by divisor: Int64) -> Int64 {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }

    // MARK: Text

    private static func append(_ number: Int64, digits: Int, to text: inout [UInt8]) {
        var divisor: Int64 = digits == 4 ? 1000 : 10
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / divisor % 10))
            divisor /= 10
        }
    }

    private struct Cursor {
        private let bytes: [UInt8]
        private var at = 0

        init(_ text: String) {
            bytes = Array(text.utf8)
        }

        var isAtEnd: Bool { at == bytes.count }

        mutating func take(_ byte: UInt8) -> Bool {
            guard at < bytes.count, bytes[at] == byte else { return false }
            at += 1
            return true
        }

        /// What stands between date and time.
        mutating func takeSeparator() -> Bool {
            take(UInt8(ascii: "T")) || take(UInt8(ascii: "t")) || take(UInt8(ascii: " "))
        }

        mutating func digit() -> Int64? {
            guard at < bytes.count, bytes[at] >= UInt8(ascii: "0"), bytes[at] <= UInt8(ascii: "9") else { return nil }
            at += 1
            return Int64(bytes[at - 1] - UInt8(ascii: "0"))
        }

        mutating func number(digits: Int) -> Int64? {
            var number: Int64 = 0
            for _ in 0..<digits {
                guard let digit = digit() else { return nil }
                number = number * 10 + digit
            }
            return number
        }

        /// The fraction of a second, 0 where none is written.
        mutating func milliseconds() -> Int64? {
            guard take(UInt8(ascii: ".")) else { return 0 }
            guard var value = digit() else { return nil }
            value *= 100
            var weight: Int64 = 10
            while let digit = digit() {
                value += digit * weight
                weight /= 10
            }
            return value
        }

        /// Seconds east of UTC.
        mutating func offsetInSeconds() -> Int64? {
            if take(UInt8(ascii: "Z")) || take(UInt8(ascii: "z")) { return 0 }
            let isWest = take(UInt8(ascii: "-"))
            guard isWest || take(UInt8(ascii: "+")) else { return nil }
            guard let hours = number(digits: 2), take(UInt8(ascii: ":")), let minutes = number(digits: 2),
                hours <= 23, minutes <= 59
            else { return nil }
            return (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
        }
    }
}
