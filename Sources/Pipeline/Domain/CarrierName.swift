/// Who carries a shipment. Carriers that we do not know are kept as they were written.
package struct CarrierName: RawRepresentable, Sendable, Hashable {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    package static let dhl = CarrierName(rawValue: "DHL")
    package static let fedEx = CarrierName(rawValue: "FedEx")
    package static let ups = CarrierName(rawValue: "UPS")
    package static let usps = CarrierName(rawValue: "USPS")

    /// The carriers of our own shipments. Their order and number are part of every decision: never change them.
    package static let known: [CarrierName] = [.dhl, .fedEx, .ups, .usps]
}
