@testable import Pipeline

/// The messages of the original's documentation.
enum SampleMessages {
    static let order = """
        {
          "order_id": 42,
          "customer_email": "alice@example.com",
          "items": [
            {"product_id": 1, "name": "Laptop Pro 15", "price": 1299.99, "quantity": 1}
          ],
          "total_amount": 1299.99,
          "currency": "EUR",
          "timestamp": "2026-01-07T10:30:00Z",
          "status": "pending"
        }
        """
    static let payment = """
        {
          "order_id": 42,
          "customer_email": "alice@example.com",
          "amount": 1299.99,
          "currency": "EUR",
          "status": "success",
          "payment_method": "credit_card",
          "transaction_id": "TXN-42-1736244600",
          "timestamp": "2026-01-07T10:30:02Z",
          "processing_time": 1.23,
          "failure_reason": null
        }
        """
    static let shipment = """
        {
          "order_id": 42,
          "customer_email": "alice@example.com",
          "tracking_number": "TRACK-42-1736244605",
          "carrier": "DHL",
          "estimated_delivery": "2026-01-12T10:30:05Z",
          "status": "shipped",
          "timestamp": "2026-01-07T10:30:05Z"
        }
        """

    /// A sample without the white space between its parts, which is how this program writes it.
    static func compact(_ sample: String) -> String {
        var text = ""
        var isInString = false
        for character in sample {
            if character == "\"" { isInString.toggle() }
            if isInString || !character.isWhitespace { text.append(character) }
        }
        return text
    }

    /// A sample with one field's value replaced, or with the field left out.
    static func changed(_ sample: String, _ field: String, to value: String?) -> [UInt8] {
        var parts: [String] = []
        for line in sample.split(separator: "\n").map(String.init) {
            guard line.contains("\"\(field)\":") && !line.contains("{") || line.contains("  \"\(field)\":") else {
                parts.append(line)
                continue
            }
            guard let value else { continue }
            parts.append("  \"\(field)\": \(value)" + (line.hasSuffix(",") ? "," : ""))
        }
        var text = parts.joined(separator: "\n")
        // Leaving the last member out leaves a comma before the closing bracket.
        if text.hasSuffix(",\n}") { text = String(text.dropLast(3)) + "\n}" }
        return Array(text.utf8)
    }
}
