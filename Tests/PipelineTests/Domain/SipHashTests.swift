import Testing

@testable import Pipeline

@Suite("SipHash")
struct SipHashTests {
    private static let key: (UInt64, UInt64) = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)

    @Test(
        "gives the authors' 64-bit test vectors",
        arguments: [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (2, 0x0d6c_8009_d9a9_4f5a),
            (7, 0xab02_00f5_8b01_d137),
            (8, 0x93f5_f579_9a93_2462), (15, 0xa129_ca61_49be_45e5), (63, 0x958a_324c_eb06_4572),
        ] as [(UInt8, UInt64)])
    func vectors64(length: UInt8, expected: UInt64) {
        #expect(SipHash.hash64(key: Self.key, 0..<length) == expected)
    }

    @Test(
        "gives the authors' 128-bit test vectors",
        arguments: [
            (0, 0xe6a8_25ba_047f_81a3, 0x9302_55c7_1472_f66d), (1, 0x44af_996b_d8c1_87da, 0x45fc_229b_1159_7634),
            (15, 0x11a8_b033_99e9_9354, 0xd9c3_cf97_0fec_087e), (63, 0x4a83_502f_77d1_5051, 0x7cbd_3f97_9a06_3e50),
        ] as [(UInt8, UInt64, UInt64)])
    func vectors128(length: UInt8, first: UInt64, second: UInt64) {
        let hash = SipHash.hash128(key: Self.key, 0..<length)
        #expect(hash.0 == first)
        #expect(hash.1 == second)
    }
}
