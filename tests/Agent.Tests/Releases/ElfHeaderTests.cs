using Decant.Agent.Releases;

namespace Decant.Agent.Tests.Releases;

public class ElfHeaderTests
{
    [TestCase(2, 1, 62, "x86_64")]
    [TestCase(2, 1, 183, "aarch64")]
    [TestCase(1, 1, 40, "armv7l")]
    [TestCase(1, 1, 3, "i686")]
    [TestCase(2, 2, 22, "s390x")]
    [TestCase(2, 1, 243, "riscv64")]
    [TestCase(2, 1, 4711, "64-bit machine 4711")]
    public void An_architecture_is_named_as_uname_names_it(int wide, int order, int machine, string name)
    {
        byte[] bytes = [0x7F, (byte)'E', (byte)'L', (byte)'F', (byte)wide, (byte)order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0];
        bytes[order == 1 ? 18 : 19] = (byte)machine;
        bytes[order == 1 ? 19 : 18] = (byte)(machine >> 8);

        Assert.That(ElfHeader.Parse(bytes).Header?.Architecture, Is.EqualTo(name));
    }

    [TestCase(new byte[] { }, "not a program")]
    [TestCase(new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1 }, "not a program")]
    [TestCase(new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', 9, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 62, 0 }, "a damaged ELF file")]
    [TestCase(new byte[] { 0xCF, 0xFA, 0xED, 0xFE }, "a macOS program")]
    [TestCase(new byte[] { (byte)'M', (byte)'Z' }, "a Windows program")]
    [TestCase(new byte[] { (byte)'#', (byte)'!' }, "a script")]
    public void What_is_no_ELF_file_is_named_as_well_as_can_be(byte[] bytes, string what)
        => Assert.That(ElfHeader.Parse(bytes), Is.EqualTo(((ElfHeader?)null, what)));
}
