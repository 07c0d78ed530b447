using System.Text;
using Decant.Agent.Releases;
using Decant.Errors;
using Decant.Fuzzing.Engine;
using Decant.Names;

namespace Decant.Fuzzing.Targets;

/// <summary>
/// What a release's own files say of it: <c>start_erl.data</c>, up to the first 0xFF, and behind that the VM's program. What is accepted becomes
/// parts of paths.
/// </summary>
internal sealed class Inspection : FuzzTarget
{
    private static readonly AppName App = AppName.Parse("shop");
    private static readonly ReleaseVersion Version = ReleaseVersion.Parse("1.0.0");

    private Room room = null!;

    public override IEnumerable<byte[]> Seeds =>
    [
        [.. "13.1.5 1.0.0"u8, 0xFF, .. Elf()], [.. "14.0\t1.0.0\r\n"u8, 0xFF, .. "#!/bin/sh\n"u8], [.. "13.1.5 2.0.0"u8, 0xFF], [0xFF], [.. "../.. 1.0.0"u8],
    ];

    public override IReadOnlyList<byte[]> Words => [.. Bytes("13.1.5", "1.0.0", " ", "..", "/", "../", "\u007fELF", "\n"), Elf(), [0xFF]];

    public override void Open()
    {
        room = new Room();
        foreach (var directory in new[] { "bin", "releases/1.0.0", "erts-13.1.5/bin" }) Directory.CreateDirectory(room[directory]);
        File.WriteAllText(room["bin/shop"], "#!/bin/sh\n");
        File.SetUnixFileMode(room["bin/shop"], (UnixFileMode)0b111_101_101);
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        var cut = Array.IndexOf(input, (byte)0xFF);
        File.WriteAllBytes(room["releases/start_erl.data"], cut < 0 ? input : input[..cut]);
        File.WriteAllBytes(room["erts-13.1.5/bin/beam.smp"], cut < 0 ? [] : input[(cut + 1)..]);
        try
        {
            var found = ReleaseInspection.Inspect(room.Root, App, Version, ElfHeader.OfThisHost);
            Promise(!found.ErtsVersion.Contains('/', StringComparison.Ordinal) && found.ErtsVersion is not (".." or "."), "the version of ERTS is a path");
            return $"found {found.IncludesErts}";
        }
        catch (OperatorException refused)
        {
            Promise(refused.Error.Reason is "NOT_A_RELEASE" or "VERSION_MISMATCH" or "WRONG_ARCHITECTURE", $"refused with {refused.Error.Reason}");
            Readable(refused.Error.Message);
            return refused.Error.Message;
        }
    }

    private static byte[] Elf() => Encoding.Latin1.GetBytes("\u007fELF\u0002\u0001\u0001\0\0\0\0\0\0\0\0\0\u0003\0>\0");
}
