/// Moments, also those that 32 bits of seconds or milliseconds do not hold.
func checkTimes(_ transcript: inout Transcript) {
    transcript.begin("Timestamp")
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59Z", -1), ("1901-12-13T20:45:51Z", -2_147_483_649),
        ("2001-09-09T01:46:40Z", 1_000_000_000), ("2038-01-19T03:14:07Z", 2_147_483_647),
        ("2038-01-19T03:14:08Z", 2_147_483_648), ("2106-02-07T06:28:15Z", 4_294_967_295),
        ("2106-02-07T06:28:16Z", 4_294_967_296), ("0000-01-01T00:00:00Z", -62_167_219_200),
        ("9999-12-31T23:59:59Z", 253_402_300_799), ("2000-02-29T12:00:00Z", 951_825_600),
    ] as [(String, Int64)] {
        transcript.expect(text, Timestamp(text)?.seconds, seconds)
        transcript.expect("\(seconds)", Timestamp(clampingSeconds: seconds).text, text)
    }
    transcript.expect("east", Timestamp("2038-01-19T04:14:08.999+01:00")?.milliseconds, 2_147_483_648_999)
    transcript.expect("2100 is no leap year", Timestamp("2100-02-29T00:00:00Z")?.text, nil)
    transcript.expect("before 0000", Timestamp("0000-01-01T00:00:00+00:01")?.text, nil)
    transcript.expect("seconds beyond", Timestamp(clampingSeconds: .max).text, "9999-12-31T23:59:59Z")
    transcript.expect("seconds before", Timestamp(clampingSeconds: .min).text, "0000-01-01T00:00:00Z")
    let shipped = Timestamp(clampingSeconds: 2_147_483_647)
    transcript.expect("a week later", shipped.adding(days: 7).text, "2038-01-26T03:14:07Z")
    transcript.expect("25 days in milliseconds", shipped.adding(days: 25).milliseconds, 2_149_643_647_000)
    transcript.expect("for ever", shipped.adding(days: .max).text, "9999-12-31T23:59:59Z")
    transcript.expect("since ever", shipped.adding(days: .min).text, "0000-01-01T00:00:00Z")
    var random = SplitMix64(seed: 5)
    for _ in 0..<1500 {
        let milliseconds = Int64(random.next() % 315_569_520_000_000) - 62_167_219_200_000
        let time = Timestamp(clamping: milliseconds)
        transcript.expect("read \(time.text)", Timestamp(time.text)?.seconds, time.seconds)
        transcript.note("\(milliseconds)", time.text)
    }
}
