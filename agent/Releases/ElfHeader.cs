using System.Buffers.Binary;

namespace Decant.Agent.Releases;

/// <summary>What an executable was built for, from its ELF header (elf(5)).</summary>
/// <param name="Bits">32 or 64.</param>
/// <param name="IsLittleEndian">Byte order.</param>
/// <param name="Machine">The <c>e_machine</c> number.</param>
internal sealed record ElfHeader(int Bits, bool IsLittleEndian, ushort Machine)
{
    private const int Size = 20;

    private static readonly Lazy<ElfHeader> ThisProcess = new(() => Read("/proc/self/exe").Header!);

    /// <summary>What this agent runs as, and so what it can start.</summary>
    public static ElfHeader OfThisHost => ThisProcess.Value;

    /// <summary>The machine as <c>uname -m</c> names it.</summary>
    public string Architecture => (Machine, Bits, IsLittleEndian) switch
    {
        (3, _, _) => "i686",
        (20, _, _) => "ppc",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (22, _, _) => "s390x",
        (40, _, _) => "armv7l",
        (62, 64, _) => "x86_64",
        (62, 32, _) => "x32",
        (183, _, _) => IsLittleEndian ? "aarch64" : "aarch64_be",
        (243, 64, _) => "riscv64",
        (258, _, _) => "loongarch64",
        _ => $"{Bits}-bit machine {Machine}",
    };

    /// <summary>Reads a file's header.</summary>
    /// <returns>The header, or what the file is instead.</returns>
    public static (ElfHeader? Header, string Instead) Read(string path)
    {
        Span<byte> bytes = stackalloc byte[Size];
        using var file = File.OpenHandle(path);
        var read = RandomAccess.Read(file, bytes, 0);
        return Parse(bytes[..read]);
    }

    /// <summary>Reads a header.</summary>
    /// <param name="bytes">The first 20 bytes of a file.</param>
    public static (ElfHeader? Header, string Instead) Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Size || !bytes.StartsWith("\u007fELF"u8)) return (null, Guess(bytes));
        var (wide, order) = (bytes[4], bytes[5]);
        if (wide is not (1 or 2) || order is not (1 or 2)) return (null, "a damaged ELF file");
        var machine = order == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[18..]) : BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]);
        return (new ElfHeader(wide == 1 ? 32 : 64, order == 1, machine), "");
    }

    private static string Guess(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(bytes) is 0xFEEDFACF or 0xFEEDFACE or 0xBEBAFECA) return "a macOS program";
        if (bytes.StartsWith("MZ"u8)) return "a Windows program";
        return bytes.StartsWith("#!"u8) ? "a script" : "not a program";
    }
}
